"""Pictures that cost a codec what photos cost, as many as wanted, no two of them alike."""

from concurrent.futures import ProcessPoolExecutor

from tests.pictures import photo_like_jpeg

DRAWN = 500  # drawing one takes longer than all that is done with it


def draw_photos(count: int = DRAWN) -> list[bytes]:
    """JPEG files of 500 x 375 pixels and about 40 KB, drawn on all cores."""
    with ProcessPoolExecutor() as pool:
        return list(pool.map(photo_like_jpeg, range(count), chunksize=8))


def numbered(photo: bytes, number: int) -> bytes:
    """The same picture as another file: with a comment behind the first marker of the JPEG."""
    comment = number.to_bytes(8, "big")
    return photo[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + photo[2:]
