"""The settings refuse what cannot work, in a sentence that says what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.site import ROOT

WITHOUT_BOTO3 = "import runpy, sys; sys.modules['boto3'] = None; sys.argv = ['manage.py', 'check']; "
RUN = "runpy.run_path('manage.py', run_name='__main__')"


@pytest.mark.parametrize(("bucket", "status"), [("poets", 1), ("", 0)])
def test_bucket_without_its_package_says_what_to_install(bucket: str, status: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_BOTO3 + RUN],
        cwd=ROOT,
        env={**os.environ, "S3_BUCKET": bucket, "POETSWEB_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stderr
    if bucket:
        (said,) = done.stderr.splitlines()
        assert said.startswith(
            "PoetsWeb cannot start: A bucket is configured, and the package boto3 is missing; install it"
        )
        assert "make run EXTRAS=s3" in said


SHOW = "import poetsweb.settings as s; print(s.EXPOSED, s.SIGNUP_OPEN)"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"HOST": ""}, "False True"),
        ({"HOST": "127.0.0.2"}, "False True"),
        ({"HOST": "::1"}, "False True"),
        ({"HOST": "localhost"}, "False True"),
        ({"HOST": "localhost", "POETSWEB_SIGNUP": "false"}, "False False"),
        ({"HOST": "0.0.0.0"}, "True False"),
        ({"HOST": "::"}, "True False"),
        ({"HOST": "poets.example.org"}, "True False"),
        ({"HOST": "0.0.0.0", "POETSWEB_SIGNUP": "true"}, "True True"),
        ({"BEHIND_PROXY": "true"}, "True False"),
        ({"TRUSTED_PROXIES": "1"}, "True False"),
    ],
)
def test_sign_up_is_closed_where_others_reach_the_site(given: dict[str, str], said: str, tmp_path: Path) -> None:
    environment = {**os.environ, "POETSWEB_DATA": str(tmp_path), "BEHIND_PROXY": "", "TRUSTED_PROXIES": "", **given}
    done = subprocess.run([sys.executable, "-c", SHOW], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == said, done.stderr
