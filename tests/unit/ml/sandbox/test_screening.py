"""Operations on files, hidden where loading or answering would run them all the same."""

from pathlib import Path

import pytest

from ml.errors import ImportRefused
from ml.model_import.opening import open_network
from ml.model_import.program import Request
from tests.hostile_networks import make_hostile_networks


@pytest.fixture(scope="module")
def hostile_networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / "networks"
    make_hostile_networks(folder)
    return folder


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("maps.pb", "ImmutableConst"),
        ("branch.pb", "ImmutableConst"),
        ("dumps.pb", "DumpTensor"),
        ("shadow.pb", "ReadFile"),
        ("uncalled.pb", "ReadFile"),
        ("restores", "WriteFile"),
        ("saves", "SaveV2"),
    ],
)
def test_hidden_operation_is_refused_by_name(name: str, operation: str, hostile_networks: Path, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match=f"operation '{operation}'"):
        open_network(hostile_networks / name, tmp_path, Request(), title="t", source="s")
    assert not [path.name for path in hostile_networks.iterdir() if path.name.startswith("written")]
