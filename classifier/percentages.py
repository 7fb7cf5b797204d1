"""Shares as people read them."""


def as_percent(share: float | None, digits: int = 1) -> str:
    """Format a share: 0.9231 -> "92.3 %"; None -> "–"."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"
