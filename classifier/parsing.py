"""Numbers that strangers write into addresses and forms."""

from collections.abc import Iterable


def parse_number(text: str | None) -> int | None:
    """Return the whole number, or None for anything else and for what no database column holds."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def parse_numbers(texts: Iterable[str]) -> list[int]:
    """Return the whole numbers in texts, each one or several between commas; what is none is left out."""
    parts = (part for text in texts for part in text.split(","))
    return [number for part in parts if (number := parse_number(part)) is not None]
