"""Describe a file that is not a readable picture, in words a person can act on.

Only the first bytes are read and nothing is decoded. The result is used for messages, never for decisions: whether
bytes are a picture is decided by decoding them, in `ml/images/decoding.py`.
"""

from ml.images import camera_raw, dicom

VIDEO = "This is a video, not a picture."


def _say_missing(kind: str, extra: str, instead: str) -> str:
    return (
        f"{kind} pictures are read where the extra “{extra}” is installed: the administrator of the site can do that "
        f"with “make run EXTRAS={extra}”. Or export it as {instead} and upload that."
    )


_UNUSUAL_RAW = "This camera raw picture cannot be read: it is damaged or of an unusual kind. Export it as JPEG."
_UNUSUAL_DICOM = "This DICOM picture cannot be read: it is damaged or of an unusual kind. Export it as PNG."
RAW = _UNUSUAL_RAW if camera_raw.is_installed() else _say_missing("Camera raw", "raw", "JPEG")
_DICOM = _UNUSUAL_DICOM if dicom.is_installed() else _say_missing("DICOM", "dicom", "PNG")

# (offset, signature, sentence). The first match wins, so the specific ones come before the general.
_SENTENCES: tuple[tuple[int, bytes, str], ...] = (
    *(
        (4, b"ftyp" + brand, "This AVIF picture cannot be read: it is damaged or of an unusual kind.")
        for brand in (b"avif", b"avis")
    ),
    *(
        (4, b"ftyp" + brand, "This HEIC picture cannot be read: it is damaged or of an unusual kind.")
        for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
    ),
    *(
        (4, b"ftyp" + brand, "HEIF pictures of this kind cannot be read. Save it as JPEG and upload that.")
        for brand in (b"avci", b"avcs", b"mif2", b"mif3", b"jpeg", b"jpgs", b"j2ki", b"j2is", b"vvic", b"vvis", b"evbi")
    ),
    (4, b"ftypcrx", RAW),
    *((0, signature, RAW) for signature in (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\x00", b"FOVb")),
    (8, b"CR\x02", RAW),
    *((4, kind, VIDEO) for kind in (b"ftyp", b"moov", b"mdat", b"wide")),
    (0, b"\x1a\x45\xdf\xa3", VIDEO),
    (8, b"AVI ", VIDEO),
    (8, b"WAVE", "This is a sound, not a picture."),
    (0, b"ID3", "This is a sound, not a picture."),
    (0, b"OggS", "This is a sound or a video, not a picture."),
    (0, b"8BPS", "Photoshop pictures cannot be read. Export it as JPEG or PNG and upload that."),
    (128, b"DICM", _DICOM),
    (0, b"SIMPLE  =", "FITS pictures cannot be read. Export it as PNG or TIFF and upload that."),
    (0, b"%!PS", "This is a PostScript document, not a picture."),
    (0, b"version https://git-lfs", "This is a placeholder of Git LFS, not the picture: fetch it with “git lfs pull”."),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL pictures cannot be read. Save it as JPEG or PNG and upload that."),
    (0, b"\xff\x0a", "JPEG XL pictures cannot be read. Save it as JPEG or PNG and upload that."),
    (0, b"%PDF", "This is a PDF, not a picture."),
    (0, b"PK\x03\x04", "This is a zip archive or a document, not a picture."),
    (0, b"\x1f\x8b", "This is an archive, not a picture."),
    (0, b"Rar!", "This is an archive, not a picture."),
    (0, b"7z\xbc\xaf\x27\x1c", "This is an archive, not a picture."),
    (0, b"\x28\xb5\x2f\xfd", "This is an archive, not a picture."),
)

_KNOWN_PICTURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8", "JPEG"),
    (0, b"\x89PNG", "PNG"),
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WebP"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"BM", "BMP"),
)

_PICTURE_STARTS = tuple(signature for offset, signature, _ in _KNOWN_PICTURES if offset == 0)

# Whatever else these mean, they do not occur in text: NUL, and the controls around tab and newline.
_NEVER_IN_TEXT = bytes(range(9)) + bytes(range(14, 27))


def is_video(data: bytes) -> bool:
    """Return whether bytes are a video by how they begin."""
    if data.startswith(_PICTURE_STARTS):  # as nearly all do of which this is asked
        return False
    found = (sentence for offset, signature, sentence in _SENTENCES if data.startswith(signature, offset))
    return next(found, None) == VIDEO


def describe_non_picture(data: bytes) -> str:
    """Return one sentence for the user about bytes that could not be opened as a picture."""
    head = data[:2048]
    for offset, signature, sentence in _SENTENCES:
        if head.startswith(signature, offset):
            return sentence
    for offset, signature, kind in _KNOWN_PICTURES:
        if head.startswith(signature, offset):
            return f"This {kind} cannot be read: it is damaged or of an unusual kind."
    return _describe_text(head) if _is_text(head) else "This is not a picture of a kind that can be read."


def _is_text(head: bytes) -> bool:
    return head.translate(None, _NEVER_IN_TEXT) == head


def _describe_text(head: bytes) -> str:
    lowered = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in lowered:
        return "SVG drawings cannot be read. Save it as PNG and upload that."
    if lowered.startswith((b"<!doctype html", b"<html")):
        return "This is not a picture: it is a web page."
    return "This is not a picture: it looks like text."
