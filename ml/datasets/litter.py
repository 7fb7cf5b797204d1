"""Hold the table of what systems, storage boxes and programs leave behind, which nobody means to upload."""

import functools

Folders = tuple[str, ...]

# Folders and files, in small letters. Hidden ones, whose names begin with a dot, need no line.
_LITTER = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "folder.htt"),  # Windows
        *("$recycle.bin", "recycler", "recycled", "system volume information", "found.000"),
        *("__macosx", "icon\r", "network trash folder", "temporary items", "thevolumesettingsfolder"),  # macOS
        *("lost+found", "nohup.out"),  # Linux
        *("@eadir", "#recycle", "#snapshot", "@tmp", "@sharebin", "@appstore"),  # Synology
        *("@__thumb", "@recycle", "@recently-snapshot", "@transcode"),  # QNAP
        *("~snapshot", "snapshot~", "$extend", "lost.dir"),  # NetApp, NTFS, Android
        *("__pycache__", "node_modules"),  # programs
        *("picasa.ini", "albumart.db", "zbthumbnail.info", "ehthumbs.ini", "dropbox.device", "desktop.db"),
    }
)
_BEGINNINGS = (".", "~$", "~syncthing~", "@eadir", "syno_")
# Smaller copies of what lies beside them, but a class may be called so where nothing does.
_SMALL_COPIES = frozenset({"thumb", "thumbs", "thumbnail", "thumbnails", "_thumbs", "_thumbnails", "previews"})


def is_litter(part: str) -> bool:
    """Return whether a path part is hidden or left behind by a system, to be passed over with its contents."""
    if part == "..":
        return False
    small = part.lower()
    return small.startswith(_BEGINNINGS) or small in _LITTER


@functools.lru_cache(maxsize=64)  # the files of a folder come one after the other
def in_litter(folders: Folders) -> bool:
    """Return whether any of the folders is litter."""
    return any(is_litter(folder) for folder in folders)


def is_for_small_copies(folder: str) -> bool:
    """Return whether a folder of this name holds thumbnails, if there are pictures beside it."""
    return folder.lower() in _SMALL_COPIES
