"""The web side and the tasks module import, and the web side answers, without TensorFlow."""

import subprocess
import sys

import pytest

from tests.site import ROOT

CODE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "poetsweb.settings"
import django
django.setup()
{imports}
heavy = {{"tensorflow", "keras", "scipy", "sklearn"}} & set(sys.modules)
sys.exit(f"imported: {{heavy}}" if heavy else 0)
"""


@pytest.mark.parametrize(
    "imports",
    [
        "import poetsweb.wsgi, poetsweb.urls, classifier.views.predict, classifier.api.router",
        "import worker.run, poetsweb.celery",
        "import worker.candidate",
        "from classifier.management.commands import serve, prepare, import_dataset",
        "from worker.management.commands import run_reaper",
        "from ml.training import pipeline, inference, head; from ml.engines import embeddings",
    ],
)
def test_fresh_interpreter_imports_no_tensorflow(imports: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(imports=imports)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_computing_knows_neither_django_nor_celery() -> None:
    for path in (ROOT / "ml").rglob("*.py"):
        source = path.read_text()
        assert "import django" not in source, path
        assert "from django" not in source, path
        assert "import celery" not in source, path
        assert "from celery" not in source, path


def test_site_never_imports_tensorflow_or_keras() -> None:
    for path in (ROOT / "classifier").rglob("*.py"):
        source = path.read_text()
        assert "import tensorflow" not in source, path
        assert "import keras" not in source, path
