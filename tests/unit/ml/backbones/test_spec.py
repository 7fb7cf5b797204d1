"""Whose a custom backbone is decides whether its files are trusted."""

import hashlib
import json
from dataclasses import replace

import pytest

from ml.backbones.custom import custom_backbone
from ml.backbones.registry import get_backbone
from ml.backbones.spec import GRAPH, LITERT, BackboneSpec, Origin, describe_found, parse_spec
from ml.images.rendering import Framing
from poetsweb.folders import ML

FOUND = {"file": GRAPH, "sha256": "a" * 64, "input_size": 32, "features": 4, "engine": LITERT}


@pytest.mark.parametrize(
    ("origin", "trusted"),
    [(Origin.UPLOADED, False), (Origin.IMPORTED, False), (Origin.FINE_TUNED, True)],
)
def test_what_we_made_ourselves_is_trusted(origin: Origin, trusted: bool) -> None:
    backbone = custom_backbone(BackboneSpec(**FOUND, origin=origin), ML)
    assert backbone.is_trusted is trusted
    assert not backbone.has_layers


def test_backbone_of_the_registry_is_trusted_and_has_layers() -> None:
    backbone = get_backbone("testing", ML)
    assert backbone.is_trusted
    assert backbone.has_layers
    assert not backbone.needs_tensorflow


def test_program_that_opened_a_file_cannot_say_that_it_is_trusted() -> None:
    spec = describe_found({**FOUND, "origin": "fine_tuned"}, origin=Origin.UPLOADED)
    assert spec.origin == Origin.UPLOADED
    assert describe_found({**FOUND, "origin": "bundled"}).origin == Origin.UPLOADED


def test_stored_spec_without_an_origin_is_not_trusted() -> None:
    stored = json.loads(BackboneSpec(**FOUND, origin=Origin.FINE_TUNED).dump())
    assert parse_spec(json.dumps(stored)).origin == Origin.FINE_TUNED
    del stored["origin"]
    assert parse_spec(json.dumps(stored)).origin == Origin.UPLOADED


def test_origin_that_does_not_exist_is_refused() -> None:
    stored = {**json.loads(BackboneSpec(**FOUND).dump()), "origin": "heaven"}
    with pytest.raises(ValueError, match="heaven"):
        parse_spec(json.dumps(stored))


def test_name_stays_whatever_the_origin() -> None:
    assert len({BackboneSpec(**FOUND, origin=origin).name for origin in Origin}) == 1


def test_spec_and_name_of_an_older_backbone_stay() -> None:
    """Read what was stored before later fields were there, and find its files under the name they have."""
    old = {**FOUND, "scale": 1.0, "offset": 0.0, "logarithm": False, "title": "t", "source": "s", "licence": "MIT"}
    spec = parse_spec(json.dumps({**old, "origin": "imported"}))
    assert (spec.one_output, spec.converted_sha256) == (False, "")
    assert spec.name == "net_" + hashlib.sha256(json.dumps(old, sort_keys=True).encode()).hexdigest()[:20]
    assert replace(spec, one_output=True).name != spec.name


def test_framing_of_a_spec_is_one_that_there_is() -> None:
    found = describe_found({**FOUND, "range": "0..1", "framing": "centre"})
    assert parse_spec(found.dump()) == found
    assert found.framing is Framing.CENTRE
    with pytest.raises(ValueError, match="x"):
        describe_found({**FOUND, "framing": "x"})
