"""Write cells of a CSV so that a spreadsheet runs none of them as a formula, and read them back as they were."""

_RUN = ("=", "+", "-", "@", "\t", "\r")  # what a formula begins with
_QUOTE = "'"


def protect_cell(text: str) -> str:
    """Return the text behind a quote if a spreadsheet would run it, or if it begins with a quote itself."""
    return f"{_QUOTE}{text}" if text.startswith((*_RUN, _QUOTE)) else text


def plain_cell(cell: str) -> str:
    """Return the text of a cell that `protect_cell` has written."""
    return cell[1:] if cell.startswith(tuple(_QUOTE + mark for mark in (*_RUN, _QUOTE))) else cell
