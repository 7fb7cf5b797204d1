"""A backbone that is made of others is not computed where its members were."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier.jobs import lifecycle, sending
from classifier.jobs.kinds import EMBED
from classifier.models import Embedding, Image, Job, Project
from classifier.services.embeddings import load_embeddings
from ml.backbones.backbone import Backbone, Member
from ml.backbones.registry import BACKBONES, _get_registered, _together, get_backbone
from ml.engines.conversion import convert
from ml.engines.embeddings import embedding_key
from ml.engines.loading import load_engine
from ml.images.augmentation import Augmentation, load_stored
from tests.datasets import coloured_pictures
from tests.unit.classifier.conftest import add_pictures
from tests.unit.classifier.test_backbone_comparisons import build_grey
from worker import embed as embedding
from worker.features import read_picture_file

pytestmark = pytest.mark.django_db(transaction=True)


def build_colours(weights: Path | None, input_size: int) -> Any:
    """Build a network that sees how red, green and blue a picture is."""
    import keras

    pictures = keras.Input((input_size, input_size, 3))
    layer = keras.layers.Conv2D(3, 1, use_bias=False)
    features = keras.layers.GlobalAveragePooling2D()(layer(pictures))
    layer.set_weights([np.eye(3, dtype=np.float32).reshape(1, 1, 3, 3) / 100])
    return keras.Model(pictures, features)


@pytest.fixture
def together(settings: Any, backbones: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backbone]:
    """Have a backbone that is made of two, of which one counts for less."""
    settings.ML = replace(settings.ML, backbones_dir=backbones)
    grey = replace(BACKBONES["testing"], name="grey", title="Grey", features=4, builder=build_grey)
    colours = replace(BACKBONES["testing"], name="colours", title="Colours", features=3, builder=build_colours)
    both = _together("both", "Both", Member(colours, 1.0), Member(grey, 0.6))
    monkeypatch.setitem(BACKBONES, "colours", colours)
    monkeypatch.setitem(BACKBONES, "grey", grey)
    monkeypatch.setitem(BACKBONES, "both", both)
    monkeypatch.setattr("ml.engines.conversion._run_converter", convert)  # another process would not know them
    yield get_backbone("both", settings.ML)
    _get_registered.cache_clear()


def embed(project: Project, backbone: str, **config: Any) -> None:
    images = list(Image.objects.order_by("pk").values_list("pk", flat=True))
    job = sending.queue_job(EMBED, project=project, by=None, config={"backbone": backbone, "images": images, **config})
    claimed = lifecycle.claim_job(job.pk)
    assert claimed is not None
    embedding.embed(claimed)
    claimed.refresh_from_db()
    assert claimed.status == Job.Status.SUCCEEDED


def vectors(backbone: Backbone, augmentation: Augmentation | None = None) -> Any:
    sha256s = list(Image.objects.order_by("pk").values_list("sha256", flat=True))
    return load_embeddings(sha256s, [embedding_key(backbone.digest, augmentation)], backbone.features)


@pytest.mark.parametrize("flipped", [False, True])
def test_members_are_kept_and_put_together(flipped: bool, project: Project, together: Backbone) -> None:
    add_pictures(project, coloured_pictures(3))
    augmentation = Augmentation(1, True, 0, 0, 0) if flipped else None
    embed(project, "both", **({"augmentation": augmentation.as_dict()} if augmentation else {}))
    colours, grey = (vectors(member.backbone, augmentation) for member in together.members_here)
    expected = np.concatenate([colours, grey * np.float32(0.6)], axis=1)
    assert vectors(together, augmentation).tobytes() == expected.tobytes()


def test_its_own_network_gives_the_same_but_for_rounding(project: Project, together: Backbone, settings: Any) -> None:
    add_pictures(project, coloured_pictures(3))
    embed(project, "both")
    engine = load_engine(together, settings.ML.backbones_dir)
    sha256s = Image.objects.order_by("pk").values_list("sha256", flat=True)
    pictures = [load_stored(sha256, read_picture_file, engine.input_size) for sha256 in sha256s]
    np.testing.assert_allclose(vectors(together), engine.embed(np.stack(pictures)), rtol=1e-5, atol=1e-6)


def test_what_members_have_computed_is_not_computed_again(
    project: Project, together: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_pictures(project, coloured_pictures(3))
    embed(project, "both")
    expected = vectors(together).tobytes()
    Embedding.objects.filter(key=embedding_key(together.digest)).delete()
    some = Embedding.objects.filter(key=embedding_key(together.members_here[0].backbone.digest))
    some.filter(image=Image.objects.order_by("pk").first()).delete()
    seen: list[tuple[str, int]] = []
    engines_of = embedding.engines_of

    def watch(backbones: list[Backbone]) -> list[Any]:
        seen.extend((one.name, len(backbones)) for one in backbones)
        return engines_of(backbones)

    monkeypatch.setattr(embedding, "engines_of", watch)
    embed(project, "both")
    assert seen == [("colours", 1)]
    assert vectors(together).tobytes() == expected
