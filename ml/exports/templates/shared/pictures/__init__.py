"""Read pictures as the site does that trained the classifier: its own code is in the other files."""

import io

import numpy as np
from PIL import Image

from . import camera_raw, dicom
from .jpeg_ends import has_end, with_end
from .modes import scale_transparency_key
from .rendering import Framing, draft_square, make_square

try:
    from pi_heif import register_heif_opener
except ImportError:  # only needed for HEIC, the format of iPhones: pip install pi-heif
    pass
else:
    register_heif_opener()
camera_raw.register()  # after pip install rawpy
dicom.register()  # after pip install pydicom

BIT_DEPTH_AT = 24  # of a PNG file


def load_picture(data, size, framing="whole"):
    """Return the picture in a file's bytes as the classifier sees it: uint8 (size, size, 3), RGB, upright."""
    if not has_end(data):
        data = with_end(data)
        if data is None:
            raise ValueError("The picture is cut off.")
    picture = Image.open(io.BytesIO(data))
    draft_square(picture, size, Framing(framing))
    picture.load()
    if picture.format == "PNG":
        scale_transparency_key(picture, bits=data[BIT_DEPTH_AT])
    return np.asarray(make_square(picture, size, Framing(framing)))
