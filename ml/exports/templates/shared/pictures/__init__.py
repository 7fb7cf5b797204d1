"""Read pictures as the site does that trained the classifier: its own code is in the other two files."""

import io

import numpy as np
from PIL import Image

from .modes import scale_transparency_key
from .rendering import Framing, draft_square, make_square

BIT_DEPTH_AT = 24  # of a PNG file


def load_picture(data, size, framing="whole"):
    """Return the picture in a file's bytes as the classifier sees it: uint8 (size, size, 3), RGB, upright."""
    picture = Image.open(io.BytesIO(data))
    draft_square(picture, size, Framing(framing))
    picture.load()
    if picture.format == "PNG":
        scale_transparency_key(picture, bits=data[BIT_DEPTH_AT])
    return np.asarray(make_square(picture, size, Framing(framing)))
