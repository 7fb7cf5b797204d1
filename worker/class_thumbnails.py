"""Make small pictures of the classes of an archive, for the person who is asked how it is to be read."""

import base64

from ml.datasets.archives import Opened
from ml.images.decoding import ImageRejected, make_thumbnail

CLASSES, EACH, PIXELS = 12, 3, 72


def show_classes(opened: Opened) -> dict[str, list[str]]:
    """Return a few pictures of the first classes, as JPEG in base64; none of what can only be read in one go."""
    walk = opened.walk()
    if walk.entry is None:
        return {}
    found: dict[str, list[str]] = {name: [] for name in list(opened.plan.classes)[:CLASSES]}
    missing = dict.fromkeys(found, EACH)
    for place, verdict in enumerate(opened.plan.verdicts):
        name = verdict.class_name
        if name is not None and missing.get(name):
            missing[name] -= 1
            data = walk.entry(place).data
            found[name] += [] if data is None else _thumbnail(data)
    return found


def _thumbnail(data: bytes) -> list[str]:
    try:
        return [base64.b64encode(make_thumbnail(data, PIXELS)).decode()]
    except ImageRejected:
        return []
