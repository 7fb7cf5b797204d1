import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from ml.backbones.backbone import Backbone
from ml.backbones.registry import BACKBONES, DEFAULT_BACKBONE, UnknownBackbone, get_backbone, packaged_weights
from ml.backbones.weights import WeightsMissing
from poetsweb.folders import ML

LITE0_DIGEST = "2c9b82512940a9f7924211df16c8beae98236887fb2cc5b10885ad9948a8167d"
BUNDLED = {
    "efficientnet_lite0": LITE0_DIGEST,
    "efficientnet_lite1": "b7a0a6da9a3b7838637520012fa44b03f11d05485a66774b383dc07d66f695e4",
    "efficientnet_lite2": "e4371e4ebf39f6a36bcc07503c6df4150401ec32d207106948d8042dfc043732",
    "mobilenet_v2_1.0_224": "8f9a86789c81bc2549f564b53b96298cfd22118cdc72d8d672587df9d2ee18fb",
    "best_quality": "8daebe235bc2689dae25b5b4c30863060abc2e73315dd3a124d0bdfda8adbc0f",
}
TESTING_DIGEST = "38ade1191a9cc7c2d4c4ec42c1678719081c547a93f79509ce500caa8e77eef2"


def test_get_backbone_default() -> None:
    backbone = get_backbone(DEFAULT_BACKBONE, ML)
    assert (backbone.name, backbone.input_size, backbone.features) == ("efficientnet_lite0", 224, 1280)
    assert not backbone.hidden


def test_get_backbone_unknown_names_the_allowed() -> None:
    with pytest.raises(UnknownBackbone, match=r"'resnet'.*efficientnet_lite0, efficientnet_lite1"):
        get_backbone("resnet", ML)


def test_registry_keys_are_the_names() -> None:
    assert all(name == backbone.name for name, backbone in BACKBONES.items())
    assert get_backbone("testing", ML).hidden


@pytest.mark.parametrize(("name", "digest"), [*BUNDLED.items(), ("testing", TESTING_DIGEST)])
def test_digest_is_the_same_on_every_machine(name: str, digest: str) -> None:
    # Embeddings and model versions are found by it: a change here makes every cached embedding worthless.
    assert get_backbone(name, ML).digest == digest


@pytest.mark.parametrize("change", [{"name": "other"}, {"version": 2}, {"input_size": 64}])
def test_digest_follows(change: dict[str, object], backbone: Backbone) -> None:
    assert dataclasses.replace(backbone, **change).digest != backbone.digest  # type: ignore[arg-type]


def test_digest_follows_the_weights(tmp_path: Path, backbone: Backbone) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    digests = {
        dataclasses.replace(backbone, find_weights=lambda settings, file=file: tmp_path / file).digest for file in "ab"
    }
    assert len(digests | {backbone.digest}) == 3


def test_digest_follows_the_members_and_their_weights() -> None:
    several = get_backbone("best_quality", ML)
    first, second = several.members
    changes = ([first], [second, first], [first, second._replace(weight=0.5)])
    found = {dataclasses.replace(several, members=tuple(members)).digest for members in changes}
    assert len(found | {several.digest}) == 4


def test_several_need_the_weights_of_each() -> None:
    def missing(_: object) -> Path:
        raise WeightsMissing("Install the package.")

    several = get_backbone("best_quality", ML)
    without = several.members[1]._replace(backbone=dataclasses.replace(several, members=(), find_weights=missing))
    with pytest.raises(WeightsMissing):
        dataclasses.replace(several, members=(several.members[0], without)).digest  # noqa: B018


@pytest.mark.parametrize("package", ["no_such_package_here", "numpy"])
def test_packaged_weights_missing_says_what_to_install(package: str) -> None:
    with pytest.raises(WeightsMissing, match="Install the package"):
        packaged_weights(package, "models/none.pth", ML)


@pytest.mark.parametrize(
    "module", ["backbones.registry", "engines.litert", "engines.conversion", "backbones.pytorch_weights"]
)
def test_import_leaves_tensorflow_out(module: str) -> None:
    code = f"import sys, ml.{module}; print(*{{'tensorflow', 'keras'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_digest_leaves_tensorflow_out() -> None:
    imports = "from ml.backbones.registry import get_backbone; from poetsweb.folders import ML"
    code = f"import sys; {imports}; get_backbone('efficientnet_lite0', ML).digest; print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
