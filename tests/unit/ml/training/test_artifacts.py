"""Test the files of a model version: they are the same bytes every time, and inconsistent ones are refused."""

import hashlib
import io
import json
import pickle
import time
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ml.training.artifacts import (
    DETECTOR,
    EVALUATION,
    FORMAT_VERSION,
    HEAD,
    MANIFEST,
    ArtifactCorrupt,
    Evaluation,
    pack_artifact,
    read_artifact,
    read_evaluation,
    renumber_classes,
)
from ml.training.head import Head
from ml.training.out_of_distribution import Detector
from ml.training.rejection import NEVER, Rejection

CLASSES = [[7, "Äpfel & “Birnen”"], [3, "猫"]]
HEAD_MADE = Head(np.arange(6, dtype=np.float32).reshape(3, 2), np.array([0.5, -0.5], np.float32))
ANSWERS = Evaluation(
    [hashlib.sha256(str(number).encode()).hexdigest() for number in range(4)],
    np.array([0, 1, 1, 0]),
    np.full((4, 2), 0.5, np.float32),
)
REFUSING = Rejection(
    Detector(np.array([[127, 0, -5], [1, 2, 127]], np.int8), np.array([0.01, 0.02], np.float32), 0.25),
    np.array([0.5, NEVER], np.float32),
    (1,),
)
Files = dict[str, bytes]


def pack(**changes: Any) -> tuple[str, Files]:
    return pack_artifact({"classes": CLASSES, "metrics": {"test_n": 4}, **changes}, HEAD_MADE, ANSWERS, REFUSING)


def signed(files: Files, **manifest_changes: Any) -> tuple[str, Files]:
    """Return the files with a manifest that matches them, and its digest, as a forger would make them."""
    manifest = json.loads(files[MANIFEST])
    manifest["files"] = {name: hashlib.sha256(files[name]).hexdigest() for name in (HEAD, EVALUATION, DETECTOR)}
    encoded = json.dumps({**manifest, **manifest_changes}).encode()
    return hashlib.sha256(encoded).hexdigest(), {**files, MANIFEST: encoded}


def npz(arrays: dict[str, NDArray[Any]], save: Callable[..., None] = np.savez) -> bytes:
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def reader(files: Files) -> Callable[[str], bytes]:
    def read(name: str) -> bytes:
        if name not in files:
            raise FileNotFoundError(name)
        return files[name]

    return read


def refuse(digest: str, files: Files, match: str | None = None) -> None:
    with pytest.raises(ArtifactCorrupt, match=match):
        read_artifact(digest, reader(files))


def test_pack_and_read_give_back_the_content() -> None:
    digest, files = pack()
    artifact = read_artifact(digest, reader(files))
    assert artifact.classes == [(7, "Äpfel & “Birnen”"), (3, "猫")]
    assert artifact.manifest["metrics"] == {"test_n": 4}
    np.testing.assert_array_equal(artifact.head.weights, HEAD_MADE.weights)
    np.testing.assert_array_equal(artifact.head.bias, HEAD_MADE.bias)
    answers = read_evaluation(digest, reader(files))
    assert answers.sha256s == ANSWERS.sha256s
    np.testing.assert_array_equal(answers.labels, ANSWERS.labels)
    np.testing.assert_array_equal(answers.probabilities, ANSWERS.probabilities)


def test_pack_same_content_same_bytes_whenever(monkeypatch: pytest.MonkeyPatch) -> None:
    first = pack()
    later = time.localtime(2_000_000_000)
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    monkeypatch.setattr(time, "localtime", lambda *_: later)
    assert pack() == first


def test_pack_order_of_the_manifest_does_not_matter() -> None:
    one = pack_artifact({"classes": CLASSES, "a": 1}, HEAD_MADE, ANSWERS)
    assert pack_artifact({"a": 1, "classes": CLASSES}, HEAD_MADE, ANSWERS) == one


def test_renumbered_artifact_is_what_a_training_with_those_ids_packs() -> None:
    digest, files = pack(dataset_digest="here")
    wanted = [[20, CLASSES[0][1]], [10, CLASSES[1][1]]]
    there = pack_artifact(
        {"classes": wanted, "metrics": {"test_n": 4}, "dataset_digest": "there"}, HEAD_MADE, ANSWERS, REFUSING
    )
    assert renumber_classes(digest, reader(files), {7: 20, 3: 10}, "there") == there
    assert renumber_classes(there[0], reader(there[1]), {20: 7, 10: 3}, "here") == (digest, files)


def test_renumbering_asks_for_every_class_and_whole_files() -> None:
    digest, files = pack()
    with pytest.raises(KeyError):
        renumber_classes(digest, reader(files), {7: 20}, "there")
    for name in (HEAD, EVALUATION, DETECTOR):
        with pytest.raises(ArtifactCorrupt):
            renumber_classes(digest, reader({**files, name: files[name] + b" "}), {7: 20, 3: 10}, "there")


def test_pack_other_content_other_digest() -> None:
    assert pack(note="x")[0] != pack()[0]


def test_pack_without_test_pictures() -> None:
    nothing = Evaluation([], np.empty(0, np.int64), np.empty((0, 2), np.float32))
    digest, files = pack_artifact({"classes": CLASSES}, HEAD_MADE, nothing)
    assert read_evaluation(digest, reader(files)).sha256s == []


def test_pack_the_caller_cannot_overwrite_the_format() -> None:
    digest, files = pack(format_version=99, files={})
    assert read_artifact(digest, reader(files)).manifest["format_version"] == FORMAT_VERSION


def test_pack_refuses_nan_in_the_manifest() -> None:
    with pytest.raises(ValueError, match="JSON"):
        pack(accuracy=float("nan"))


def test_files_hold_no_pickle() -> None:
    _, files = pack()
    for name in (HEAD, EVALUATION):
        with np.load(io.BytesIO(files[name]), allow_pickle=False) as arrays:
            assert all(array.dtype.kind in "fiu" for array in arrays.values())


@pytest.mark.parametrize("name", [MANIFEST, HEAD])
def test_read_missing_file_is_refused(name: str) -> None:
    digest, files = pack()
    del files[name]
    refuse(digest, files, match=f"{name} is missing")


@pytest.mark.parametrize("name", [MANIFEST, HEAD])
@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data + b"\0",
        lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:],
    ],
    ids=["empty", "one byte less", "half", "one byte more", "one bit"],
)
def test_read_changed_file_is_refused(name: str, change: Callable[[bytes], bytes]) -> None:
    digest, files = pack()
    refuse(digest, {**files, name: change(files[name])}, match="changed")


def test_read_evaluation_changed_file_is_refused() -> None:
    digest, files = pack()
    with pytest.raises(ArtifactCorrupt, match="changed"):
        read_evaluation(digest, reader({**files, EVALUATION: files[HEAD]}))


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 0, None, "1"])
def test_read_other_format_is_refused(version: Any) -> None:
    refuse(*signed(pack()[1], format_version=version), match=f"format {version!r}")


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"{}", b'{"files": 1}', b"\xff", b"[" * 10**5])
def test_read_manifest_that_is_none_is_refused(text: bytes) -> None:
    refuse(hashlib.sha256(text).hexdigest(), {**pack()[1], MANIFEST: text}, match="manifest")


@pytest.mark.parametrize("classes", [None, 5, [[1]], [["x", "y"], [1, "z"]], [[1, "one"]], [[1, "a"]] * 3])
def test_read_classes_that_do_not_fit_are_refused(classes: Any) -> None:
    refuse(*signed(pack()[1], classes=classes))


class Trap:
    """An object whose unpickling would be noticed."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("a pickle was opened",)


@pytest.mark.parametrize(
    "said",
    [
        *({"least_likeness": value} for value in (float("nan"), float("inf"), 11, 10**400, "0.5", True, None, [0.5])),
        *({"least_probabilities": [0.5, value]} for value in (float("nan"), float("-inf"), 1e300, "1", False, None)),
        *({"least_probabilities": value} for value in ("ab", 5, [0.5], [0.5] * 3, [[0.5], [0.5]])),
        *({"other_classes": value} for value in ([-1], [2], [10**30], [0.0], ["0"], [True], [None], "1", 5)),
    ],
    ids=str,
)
def test_read_thresholds_that_are_none_are_refused(said: dict[str, Any]) -> None:
    files = pack()[1]
    refuse(
        *signed(files, none_of_these={**json.loads(files[MANIFEST])["none_of_these"], **said}),
        "refused|classes|threshold",
    )


def forge_member(name: str, data: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return the packed head with one member replaced."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(pack()[1][HEAD])) as old, zipfile.ZipFile(buffer, "w", compression) as new:
        for member in old.namelist():
            new.writestr(member, data if member == name else old.read(member))
    return buffer.getvalue()


def npy(header: str, body: bytes = b"") -> bytes:
    """Return a .npy file with an arbitrary header."""
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


HUGE = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 2), }", bytes(24))
TRAPS = pickle.dumps([Trap()] * 6)
TRAPS += bytes(-len(TRAPS) % 8)  # so long that the header's size is right, were they numbers
OBJECTS = npy(f"{{'descr': '|O', 'fortran_order': False, 'shape': ({len(TRAPS) // 8},), }}", TRAPS)
ONES = np.ones((3, 2), np.float32)
BIAS = np.zeros(2, np.float32)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        pickle.dumps({"weights": [1, 2]}),
        pickle.dumps(Trap()),
        forge_member("weights.npy", pickle.dumps(Trap())),
        forge_member("weights.npy", OBJECTS),
        forge_member("weights.npy", b""),
        forge_member("weights.npy", HUGE),
        forge_member("weights.npy", b"\x93NUMPY\x02\x00" + bytes(200)),
        forge_member("bias.npy", bytes(10**7), zipfile.ZIP_DEFLATED),
        npz({"weights": ONES}),
        npz({"bias": BIAS}),
        npz({"weights": ONES, "bias": BIAS}, np.savez_compressed),
        npz({"weights": ONES.astype(np.float64), "bias": BIAS}),
        npz({"weights": ONES, "bias": BIAS.astype("U3")}),
        npz({"weights": ONES[0], "bias": BIAS}),
        npz({"weights": ONES, "bias": np.zeros(3, np.float32)}),
        npz({"weights": np.ones((3, 3), np.float32), "bias": BIAS}),
        npz({"weights": ONES * np.float32("nan"), "bias": BIAS}),
        npz({"weights": ONES, "bias": BIAS + np.float32("inf")}),
    ],
    ids=[
        "empty",
        "a pickle",
        "a pickle that acts",
        "a pickle as member",
        "an object array",
        "an empty member",
        "a header that claims terabytes",
        "another npy version",
        "a zip bomb",
        "no bias",
        "no weights",
        "compressed",
        "doubles",
        "text",
        "too few dimensions",
        "a bias too long",
        "weights too wide",
        "NaN",
        "infinity",
    ],
)
def test_read_forged_head_is_refused(head: bytes) -> None:
    """Refuse it even if all digests match."""
    refuse(*signed({**pack()[1], HEAD: head}))


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": np.array([0, 1, 2, 0])},
        {"labels": np.array([0, -1, 1, 0])},
        {"labels": np.array([0, 1])},
        {"labels": np.array([0.0, 1, 1, 0])},
        {"probabilities": np.full((3, 2), 0.5, np.float32)},
        {"sha256s": np.zeros((4, 31), np.uint8)},
    ],
)
def test_read_evaluation_that_does_not_fit_is_refused(changes: dict[str, NDArray[Any]]) -> None:
    arrays = {
        "sha256s": np.zeros((4, 32), np.uint8),
        "labels": ANSWERS.labels,
        "probabilities": ANSWERS.probabilities,
    }
    digest, files = signed({**pack()[1], EVALUATION: npz({**arrays, **changes})})
    with pytest.raises(ArtifactCorrupt):
        read_evaluation(digest, reader(files))


PACKED = pack()[1]


@settings(max_examples=300)
@given(st.data())
def test_read_any_damage_gives_an_artifact_or_artifact_corrupt(data: st.DataObject) -> None:
    """Raise nothing else for bytes that were changed behind matching digests."""
    head = bytearray(PACKED[HEAD])
    for _ in range(data.draw(st.integers(1, 4))):
        head[data.draw(st.integers(0, len(head) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(len(head) // 2, len(head)))
    digest, files = signed({**PACKED, HEAD: bytes(head[:cut])})
    try:
        artifact = read_artifact(digest, reader(files))
    except ArtifactCorrupt:
        return
    assert artifact.head.weights.shape[1] == 2
