"""The confusion matrix as a picture, for viewers that show nothing else."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SIDE = 960  # pixels of the matrix at most, without its labels
LARGEST_CELL, CELL_WITH_COUNT, CELL_WITH_LABEL = 64, 26, 14  # pixels
LONGEST_LABEL = 24  # characters
GAP = 6  # pixels between a label and what is beside it
WHITE, INK = (255, 255, 255), (30, 30, 30)
RIGHT, WRONG = (46, 140, 80), (200, 60, 50)  # of a full row on and off the diagonal


def draw_confusion(matrix: NDArray[np.int64], names: list[str]) -> tuple[bytes, tuple[int, int]]:
    """(PNG, (width, height)). matrix: (C, C) counts, row = true class, column = the answer; names: C.

    Rows are shaded by their shares. Counts and names are written where a cell has room for them; of more classes
    than there are pixels, neighbours share one.
    """
    cell = min(LARGEST_CELL, SIDE // len(names))
    side = cell * len(names) or SIDE
    way = Image.Resampling.NEAREST if cell else Image.Resampling.BOX
    picture = Image.fromarray(_shade(matrix)).resize((side, side), way)
    if cell >= CELL_WITH_COUNT:
        _write_counts(picture, matrix, cell)
    if cell >= CELL_WITH_LABEL:
        picture = _add_labels(picture, [_shorten(name) for name in names], cell)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue(), picture.size


def _shade(matrix: NDArray[np.int64]) -> NDArray[np.uint8]:
    """(C, C, 3): from white to the full colour by the share of the row."""
    shares = (matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1))[..., np.newaxis]
    on_diagonal = np.eye(len(matrix), dtype=bool)[..., np.newaxis]
    full = np.where(on_diagonal, np.array(RIGHT), np.array(WRONG))
    return np.asarray(np.round(255 + shares * (full - 255.0)), np.uint8)


def _write_counts(picture: Image.Image, matrix: NDArray[np.int64], cell: int) -> None:
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(min(cell // 3, 16))
    for row, column in np.argwhere(matrix):
        place = ((column + 0.5) * cell, (row + 0.5) * cell)
        draw.text(place, str(matrix[row, column]), INK, font, anchor="mm")


def _add_labels(picture: Image.Image, labels: list[str], cell: int) -> Image.Image:
    """True classes on the left; answers above, read from below."""
    margin = int(max(_font(cell).getlength(label) for label in labels)) + 2 * GAP
    whole = Image.new("RGB", (margin + picture.width, margin + picture.height), WHITE)
    whole.paste(_write_labels(labels, cell, margin, at=margin - GAP, anchor="rm"), (0, margin))
    above = _write_labels(labels, cell, margin, at=GAP, anchor="lm")
    whole.paste(above.transpose(Image.Transpose.ROTATE_90), (margin, 0))
    whole.paste(picture, (margin, margin))
    return whole


def _write_labels(labels: list[str], cell: int, width: int, *, at: int, anchor: str) -> Image.Image:
    """A strip with a label a cell, from top to bottom."""
    strip = Image.new("RGB", (width, cell * len(labels)), WHITE)
    draw = ImageDraw.Draw(strip)
    for place, label in enumerate(labels):
        draw.text((at, (place + 0.5) * cell), label, INK, _font(cell), anchor=anchor)
    return strip


def _font(cell: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(min(cell - 2, 15))


def _shorten(label: str) -> str:
    line = " ".join(label.split())
    return line if len(line) <= LONGEST_LABEL else f"{line[: LONGEST_LABEL - 1]}…"
