"""Build an export and send pictures through it, as a program, so that its caller need not load TensorFlow.

    python -m ml.exports.program build FORMAT PARTS OUT
    python -m ml.exports.program answer FORMAT OUT PICTURES SIZE
    python -m ml.exports.program hub BACKBONE OUT SETTINGS

`PICTURES` is a folder with files 0, 1, 2, ...; the answers go to PICTURES.npy, the milliseconds for one picture to
PICTURES.ms, and each line printed is the number of pictures done.
"""

import statistics
import sys
import time
from pathlib import Path

import numpy as np

from ml.backbones.registry import get_backbone
from ml.exports import tf_hub
from ml.exports.parts import Parts
from ml.exports.registry import FORMATS
from ml.images.decoding import load_picture
from ml.settings import MLSettings

SAID_EVERY = 8  # pictures


def main(arguments: list[str]) -> int:
    """Run the program with its command-line arguments, and return the exit code."""
    action, format, *rest = arguments
    if action == "hub":
        out, settings = rest
        tf_hub.build_backbone(get_backbone(format, MLSettings.parse(settings)), Path(out))
        return 0
    code = FORMATS[format].code()
    if action == "build":
        parts, out = rest
        code.build(Parts.read(Path(parts)), Path(out))
    else:
        out, pictures, size = rest
        answer(code, Path(out), Path(pictures), int(size))
    return 0


def answer(code: object, folder: Path, pictures: Path, size: int) -> None:
    """Send each picture through the file by itself, and write the answers and the time for one picture.

    Pictures are decoded here as everywhere else, for the formats that do not decode files themselves.
    """
    run = code.load(folder)  # type: ignore[attr-defined]
    answers, seconds = [], []
    count = len(list(pictures.iterdir()))
    for number in range(count):
        data = (pictures / str(number)).read_bytes()
        decoded = load_picture(data, size)[np.newaxis]
        begun = time.perf_counter()
        answers.append(run(data, decoded)[0])
        seconds.append(time.perf_counter() - begun)
        if number % SAID_EVERY == 0:
            print(number + 1, flush=True)
    np.save(pictures.with_suffix(".npy"), np.stack(answers))
    # The median, because the first picture also waits for one-time initialisation.
    pictures.with_suffix(".ms").write_text(str(1000 * statistics.median(seconds)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
