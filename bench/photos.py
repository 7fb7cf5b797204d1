"""Make pictures that cost a codec as much as photos do, as many as needed, all of them different."""

from concurrent.futures import ProcessPoolExecutor

from tests.pictures import photo_like_jpeg

DRAWN = 500  # drawing a picture takes longer than everything done with it


def draw_photos(count: int = DRAWN) -> list[bytes]:
    """Return JPEG files of 500 x 375 pixels and about 40 KB, drawn on all cores."""
    with ProcessPoolExecutor() as pool:
        return list(pool.map(photo_like_jpeg, range(count), chunksize=8))


def numbered(photo: bytes, number: int) -> bytes:
    """Return the same picture as another file, with a comment after the first marker of the JPEG."""
    comment = number.to_bytes(8, "big")
    return photo[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + photo[2:]
