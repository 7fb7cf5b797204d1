"""Colours that tell classes apart, on light and on dark pages, where nobody has chosen one."""

PALETTE = (
    *("#3b5bdb", "#e8590c", "#2b8a3e", "#ae3ec9", "#1098ad", "#d6336c"),
    *("#a67c00", "#5f3dc4", "#087f5b", "#c92a2a", "#5c940d", "#66788a"),
)


def colour_of(number: int) -> str:
    """Return the colour for a number, the same each time."""
    return PALETTE[number % len(PALETTE)]
