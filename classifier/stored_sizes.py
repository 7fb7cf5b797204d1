"""The sizes of what is in the default storage."""

from collections.abc import Iterator

from django.core.files.storage import default_storage


def list_sizes(folder: str = "") -> Iterator[tuple[str, int]]:
    """List the path and the bytes of each file in a folder of the default storage and below it.

    A bucket tells both in its listing, which is a request for a thousand files.
    """
    listed = getattr(default_storage, "list_sizes", None)
    if listed is not None:
        yield from listed(folder)
        return
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:  # nothing was ever stored, or it has just gone
        return
    prefix = f"{folder}/" if folder else ""
    for name in files:
        yield prefix + name, file_size(prefix + name)
    for name in folders:
        yield from list_sizes(prefix + name)


def file_size(path: str) -> int:
    """Return the bytes of a file in the default storage; 0 where it has gone."""
    try:
        return int(default_storage.size(path))
    except OSError:
        return 0
