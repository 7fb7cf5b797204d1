"""Test that each format has a README that can be filled in, and a program that needs none of our code."""

import ast
from pathlib import Path

import numpy as np
import pytest

from ml.backbones.registry import get_backbone
from ml.exports.parts import README, RUNNER, SHARED, TEMPLATES, Parts
from ml.exports.registry import FORMATS
from ml.training.head import Head
from poetsweb.folders import ML

EXAMPLE = "classify.py"
EXPORTERS = {format.where.partition(":")[0].rpartition(".")[2] for format in FORMATS.values()}
TESTING = get_backbone("testing", ML)
HEAD = Head(np.zeros((TESTING.features, 2), np.float32), np.zeros(2, np.float32))


def test_templates_are_those_of_the_formats() -> None:
    there = {path.name: {file.name for file in path.iterdir()} - {"__pycache__"} for path in TEMPLATES.iterdir()}
    assert there == {exporter: {README, RUNNER} for exporter in EXPORTERS} | {SHARED.name: {EXAMPLE, "pictures"}}


@pytest.mark.parametrize("exporter", sorted(EXPORTERS))
def test_program_stands_alone(exporter: str, tmp_path: Path) -> None:
    """Look through all that is shipped, the site's own picture rules among it."""
    Parts("Colours", 7, TESTING, HEAD, ["red", "blue"]).write_texts(tmp_path, exporter)
    shipped = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.py")}
    pictures = {
        f"pictures/{name}.py" for name in ("__init__", "camera_raw", "dicom", "jpeg_ends", "modes", "rendering")
    }
    assert shipped == {EXAMPLE, RUNNER, *pictures}
    assert "python classify.py PICTURE" in (ast.get_docstring(ast.parse((tmp_path / EXAMPLE).read_text())) or "")
    assert (tmp_path / "pictures/modes.py").read_bytes() == Path("ml/images/modes.py").read_bytes()
    for name in shipped:
        check_imports((tmp_path / name).read_text(encoding="utf-8"))


def check_imports(source: str) -> None:
    tree = ast.parse(source)
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or "."]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }
    ours = {path.parent.name for path in Path(__file__).parents[4].glob("*/__init__.py")}
    assert "ml" in ours
    assert not imported & ours


@pytest.mark.parametrize("exporter", sorted(EXPORTERS))
def test_readme_is_filled_in(exporter: str, tmp_path: Path) -> None:
    parts = Parts("Costs $title,\n{version} %s", 7, TESTING, HEAD, ["red", "blue"])
    parts.write_texts(tmp_path, exporter, labels_file="names.txt")
    readme = (tmp_path / README).read_text(encoding="utf-8")
    assert readme.startswith("# Costs $title, {version} %s, version 7\n")
    assert "(N, 32, 32, 3)" in readme
    assert "python classify.py picture.jpg" in readme
    assert (tmp_path / "names.txt").read_text() == "red\nblue\n"
    assert (tmp_path / RUNNER).read_bytes() == (TEMPLATES / exporter / RUNNER).read_bytes()
    assert "$" not in readme.replace("Costs $title", "").replace("$PWD", "").replace("$(base64", "")


def test_readme_names_the_type_of_the_values(tmp_path: Path) -> None:
    Parts("Colours", 7, TESTING, HEAD, ["red", "blue"]).write_texts(tmp_path, "tflite", dtype="uint8")
    assert "pictures as uint8 (N, 32, 32, 3)" in (tmp_path / README).read_text()


def test_shell_variables_of_a_readme_stay(tmp_path: Path) -> None:
    Parts("Colours", 7, TESTING, HEAD, ["red", "blue"]).write_texts(tmp_path, "saved_model")
    readme = (tmp_path / README).read_text()
    assert "--model_base_path=$PWD/saved_model" in readme
    assert '{"instances": [{"b64": "%s"}]}\' "$(base64 -w0 picture.jpg)"' in readme
