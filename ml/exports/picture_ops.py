"""Read a picture's file in TensorFlow operations, so that a SavedModel sees it as the site does.

What TensorFlow decodes (JPEG, PNG, GIF, BMP) is laid on white, turned upright and framed by the site's rules, which
`ml.images` has for everything else.
"""

from typing import Any

from ml.exports.exif_ops import read_orientation, turn_upright
from ml.images.rendering import Framing

_PNG = b"\x89PNG"


def see_file(data: Any, size: int, framing: Framing) -> Any:
    """Return the picture in a file, a scalar string, as the backbone sees it: float32 (size, size, 3), 0..255."""
    import tensorflow as tf

    is_png = tf.equal(tf.strings.substr(data, 0, len(_PNG)), _PNG)
    decoded = tf.cond(is_png, lambda: _decode_png(data), lambda: _decode(data))
    upright = turn_upright(decoded, read_orientation(data))
    # Rounded, because resized pictures consist of whole numbers everywhere else.
    return tf.ensure_shape(tf.round(_make_square(upright, size, framing)), (size, size, 3))


def _decode(data: Any) -> Any:
    import tensorflow as tf

    return tf.cast(tf.io.decode_image(data, channels=3, expand_animations=False), tf.float32)


def _decode_png(data: Any) -> Any:
    """Decode all kinds of PNG with 16 bits and an alpha channel, and lay it on white."""
    import tensorflow as tf

    levels = tf.cast(tf.io.decode_png(data, channels=4, dtype=tf.uint16), tf.float32) / 257
    alpha = levels[..., 3:] / 255
    return levels[..., :3] * alpha + 255 * (1 - alpha)


def _make_square(picture: Any, size: int, framing: Framing) -> Any:
    import tensorflow as tf

    if framing == Framing.UNSMOOTHED:
        return tf.compat.v1.image.resize_bilinear(picture[tf.newaxis], [size, size])[0]
    if framing == Framing.CENTRE:
        shape = tf.shape(picture)
        side = tf.minimum(shape[0], shape[1])
        top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
        picture = picture[top : top + side, left : left + side]
    return tf.image.resize(picture, [size, size], antialias=True)
