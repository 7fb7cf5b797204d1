"""Apply EXIF orientation in TensorFlow operations, so that a SavedModel sees a phone's photo upright.

TensorFlow decodes pictures but never turns them. This reads what `ml.images.decoding` reads: the orientation in the
first directory of the EXIF block (Exif 2.32, 4.6.2 and 4.6.4) of a JPEG.
"""

from typing import Any

READ = 2**17  # bytes: EXIF is among the first segments of a JPEG, each of which has at most 64 KB
_START, _EXIF_SEGMENT, _START_OF_SCAN = 0xD8, 0xE1, 0xDA
_EXIF_MARK = b"Exif\x00\x00"
_BIG_ENDIAN, _LITTLE_ENDIAN = ord("M"), ord("I")
_ORIENTATION = 0x0112


def read_orientation(data: Any) -> Any:
    """Return how a picture still has to be turned, int32 from 1 to 8; 1 if its file does not say.

    `data` is the file's content as a scalar string.
    """
    import tensorflow as tf

    read = tf.cast(tf.io.decode_raw(tf.strings.substr(data, 0, READ), tf.uint8), tf.int32)
    bytes = tf.concat([read, tf.zeros([16], tf.int32)], 0)  # so that the reads below stay within bounds
    tiff = _find_exif(bytes, tf.size(read))
    return tf.cond(tiff > 0, lambda: _in_first_directory(bytes[tiff:]), lambda: tf.constant(1))


def _find_exif(bytes: Any, size: Any) -> Any:
    """Walk from segment to segment, and return where the TIFF header in the EXIF segment starts; 0 if there is none."""
    import tensorflow as tf

    mark = tf.constant(list(_EXIF_MARK), tf.int32)

    def goes_on(at: Any, found: Any) -> Any:
        is_segment = (bytes[at] == 0xFF) & (bytes[at + 1] != _START_OF_SCAN)
        return (found == 0) & is_segment

    def step(at: Any, found: Any) -> tuple[Any, Any]:
        length = tf.maximum(bytes[at + 2] * 256 + bytes[at + 3], 2)
        is_exif = (bytes[at + 1] == _EXIF_SEGMENT) & tf.reduce_all(bytes[at + 4 : at + 10] == mark)
        return tf.minimum(at + 2 + length, size), tf.where(is_exif, at + 10, found)

    is_jpeg = (bytes[0] == 0xFF) & (bytes[1] == _START)
    begin = tf.where(is_jpeg, 2, size)  # at the end there is no segment
    _, found = tf.while_loop(goes_on, step, (begin, tf.constant(0)))
    return found


def _in_first_directory(tiff: Any) -> Any:
    import tensorflow as tf

    big = tiff[0] == _BIG_ENDIAN
    known = (big & (tiff[1] == _BIG_ENDIAN)) | ((tiff[0] == _LITTLE_ENDIAN) & (tiff[1] == _LITTLE_ENDIAN))
    last = tf.size(tiff) - 2

    def short(at: Any) -> Any:
        at = tf.clip_by_value(at, 0, last)
        first, second = tf.gather(tiff, at), tf.gather(tiff, at + 1)
        return tf.where(big, first * 256 + second, second * 256 + first)

    # The offset has four bytes, of which a block of 64 KB needs the lower two.
    directory = tf.where(big, short(tf.constant(6)), short(tf.constant(4)))
    count = tf.minimum(short(directory), tf.maximum(last - directory - 2, 0) // 12)
    entries = directory + 2 + 12 * tf.range(count)
    values = tf.boolean_mask(short(entries + 8), short(entries) == _ORIENTATION)
    value = tf.cond(tf.size(values) > 0, lambda: values[0], lambda: tf.constant(1))
    return tf.where(known & (value >= 1) & (value <= 8), value, 1)


def turn_upright(picture: Any, orientation: Any) -> Any:
    """Return a picture (H, W, 3) turned and mirrored according to its orientation."""
    import tensorflow as tf

    def transposed() -> Any:
        return tf.transpose(picture, [1, 0, 2])

    turns = [
        lambda: picture,
        lambda: tf.reverse(picture, [1]),
        lambda: tf.reverse(picture, [0, 1]),
        lambda: tf.reverse(picture, [0]),
        transposed,
        lambda: tf.reverse(transposed(), [1]),
        lambda: tf.reverse(transposed(), [0, 1]),
        lambda: tf.reverse(transposed(), [0]),
    ]
    return tf.switch_case(orientation - 1, turns)
