"""Numbers that strangers write into addresses and forms."""


def parse_number(text: str | None) -> int | None:
    """Return the whole number, or None for anything else and for what no database column holds."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
