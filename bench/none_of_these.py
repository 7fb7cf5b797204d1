"""Measure what is refused: `python -m bench.none_of_these FOLDER OTHER… [--repeats N] [--each K]`.

FOLDER has a folder of pictures for each class; four in five of each, or K, are learnt, and the rest must be accepted.
The pictures of the other folders, and 200 that are drawn here (noise, plain colours, stripes, shapes), must be refused.
"""

import argparse
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

LEARNT, EACH_KIND = 0.8, 40
DRAWN = "drawn here"


def main(arguments: list[str]) -> None:
    """Measure, and print a line for what is accepted and for each folder of others."""
    parser = argparse.ArgumentParser("python -m bench.none_of_these", description="Measure what is refused.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("others", type=Path, nargs="*")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--each", type=int, help="pictures of each class that are learnt")
    flags = parser.parse_args(arguments)
    named = {str(path): path.read_bytes() for path in sorted(flags.folder.glob("*/*")) if is_picture(path)}
    names = sorted({Path(path).parent.name for path in named})
    features, labels = embed(named), np.array([names.index(Path(path).parent.name) for path in named])
    others = {DRAWN: embed(dict(draw()))}
    for folder in flags.others:
        others[folder.name] = embed({str(path): path.read_bytes() for path in folder.rglob("*") if is_picture(path)})
    shares = [_measure(features, labels, others, seed, flags.each) for seed in range(flags.repeats)]
    for name in shares[0]:
        found = [one[name] for one in shares]
        print(f"{name:24} {np.mean(found):.3f}  (from {np.min(found):.2f} to {np.max(found):.2f})")


def is_picture(path: Path) -> bool:
    """Return whether a file has the name of a picture."""
    from ml.images.formats import list_endings

    return path.is_file() and path.suffix.lower().lstrip(".") in list_endings()


def embed(pictures: dict[str, bytes], name: str = "") -> Any:
    """Return the features of the default backbone, or of another one, (N, F)."""
    from ml.backbones.registry import DEFAULT_BACKBONE, get_backbone
    from ml.engines.embeddings import embed_pictures
    from ml.engines.loading import ensure_ready, load_engine
    from poetsweb.folders import ML

    with TemporaryDirectory() as prepared:
        backbone = get_backbone(name or DEFAULT_BACKBONE, ML)
        ensure_ready(backbone, Path(prepared))
        engine = load_engine(backbone, Path(prepared))
        return np.concatenate([rows for _, rows in embed_pictures(list(pictures), pictures.__getitem__, engine)])


def draw() -> Iterator[tuple[str, bytes]]:
    """Draw pictures that show nothing: name and PNG."""
    random = np.random.default_rng(0)
    for number in range(EACH_KIND):
        first, second = random.integers(0, 256, (2, 3))
        stripes = (np.arange(300) // random.integers(3, 40) % 2)[:, np.newaxis, np.newaxis] * np.ones((1, 300, 1))
        ramp = np.linspace(0, 1, 300)[:, np.newaxis, np.newaxis] * np.ones((1, 300, 1))
        yield f"noise {number}", _encode(random.integers(0, 256, (300, 300, 3)))
        yield f"plain {number}", _encode(np.full((300, 300, 3), first if number > 1 else 255 * number))
        yield f"stripes {number}", _encode(stripes * first + (1 - stripes) * second)
        yield f"ramp {number}", _encode(ramp * first + (1 - ramp) * second)
        yield f"shapes {number}", _draw_shapes(random)


def _draw_shapes(random: np.random.Generator) -> bytes:
    picture = Image.new("RGB", (300, 300), tuple(random.integers(180, 256, 3).tolist()))
    pen = ImageDraw.Draw(picture)
    for _ in range(random.integers(1, 12)):
        (left, top), size = random.integers(0, 250, 2).tolist(), int(random.integers(10, 120))
        shape = pen.ellipse if random.random() < 0.5 else pen.rectangle
        shape((left, top, left + size, top + size), fill=tuple(random.integers(0, 256, 3).tolist()))
    return _encode(np.asarray(picture))


def _encode(pixels: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _measure(features: Any, labels: Any, others: dict[str, Any], seed: int, each: int | None) -> dict[str, float]:
    from ml.training.out_of_distribution import fit_detector

    random, learnt = np.random.default_rng(seed), np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        learnt[members[: each or int(LEARNT * len(members))]] = True
    detector = fit_detector(features[learnt], labels[learnt], [str(place) for place in np.flatnonzero(learnt)])
    if detector is None:
        raise SystemExit("There are too few pictures to learn from.")
    accepted = float(np.mean(detector.likeness(features[~learnt]) >= detector.least_likeness))
    refused = {f"refused: {name}": _refused(detector, rows) for name, rows in others.items()}
    return {"accepted": accepted, **refused}


def _refused(detector: Any, features: Any) -> float:
    return float(np.mean(detector.likeness(features) < detector.least_likeness))


if __name__ == "__main__":
    main(sys.argv[1:])
