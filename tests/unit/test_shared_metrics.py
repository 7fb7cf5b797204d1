"""The folder in which web processes share what they count."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from poetsweb import shared_metrics


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_metrics, "MEMORY", tmp_path)


def test_folder_is_ours_alone() -> None:
    assert Path(shared_metrics.make_folder()).stat().st_mode & 0o077 == 0


def test_what_a_killed_process_left_is_deleted_and_what_a_living_one_uses_is_not(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for pid in (ended.pid, os.getppid()):
        (tmp_path / f"poetsweb-metrics-{pid}-x").mkdir()
    (tmp_path / "somebody-elses").mkdir()
    made = Path(shared_metrics.make_folder())
    assert set(tmp_path.iterdir()) == {
        made,
        tmp_path / f"poetsweb-metrics-{os.getppid()}-x",
        tmp_path / "somebody-elses",
    }


CODE = """
import os
from pathlib import Path
from poetsweb import shared_metrics
shared_metrics.MEMORY = Path({folder!r})
os.environ["PROMETHEUS_MULTIPROC_DIR"] = made = shared_metrics.make_folder()
from classifier.instruments import classified_pictures, counted_here
classified_pictures("class")  # known before the fork
for _ in range(2):
    pid = os.fork()
    if not pid:
        classified_pictures("class").inc(3)
        os._exit(0)
    os.waitpid(pid, 0)
classified_pictures("class").inc()
print([one.samples[0].value for one in counted_here().collect() if one.name == "poetsweb_classified_pictures"])
print(made)
"""


def test_any_process_tells_what_all_have_counted(tmp_path: Path) -> None:
    code = CODE.format(folder=str(tmp_path))
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    counts, made = said.splitlines()
    assert counts == "[7.0]"
    assert not Path(made).exists()
