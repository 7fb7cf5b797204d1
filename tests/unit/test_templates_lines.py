"""Test that the lines of templates are short enough to read."""

from pathlib import Path

from poetsweb.folders import BASE_DIR

LONGEST = 140  # columns


def test_no_line_of_a_template_is_too_long() -> None:
    folder = Path(BASE_DIR, "classifier", "templates")
    too_long = [
        f"{path.relative_to(folder)}:{number}: {len(line)} columns"
        for path in sorted(folder.rglob("*.html"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > LONGEST
    ]
    assert too_long == []
