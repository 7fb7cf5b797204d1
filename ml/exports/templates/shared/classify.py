"""Classify pictures: run `python classify.py PICTURE…`. README.md says which packages it needs.

With --json it prints a line of JSON for each picture, with the probability of every class in their order; with --full
also whether the picture is none of these classes.
"""

import json
import sys
from pathlib import Path

from model import load
from pictures import load_picture

FOLDER = Path(__file__).resolve().parent


def main(arguments):
    """Classify the pictures that are named, and return the exit code."""
    names = [argument for argument in arguments if argument not in ("--json", "--full")]
    facts = json.loads((FOLDER / "metadata.json").read_text(encoding="utf-8"))
    labels = [" ".join(label.split()) for label in facts["labels"]]
    classify, failed = load(FOLDER), 0
    for name in names:
        try:
            data = Path(name).read_bytes()
            picture = load_picture(data, facts["input"]["shape"][1], facts["framing"])
        except (OSError, ValueError, SyntaxError) as error:  # what Pillow says of files that are no pictures
            print(f"{name} cannot be read: {error}", file=sys.stderr)
            failed = 1
            continue
        probabilities, refused = classify(data, picture)
        scores = [float(score) for score in probabilities]
        if "--full" in arguments:
            print(json.dumps({"probabilities": scores, "none_of_these": refused}), flush=True)
            continue
        if "--json" in arguments:
            print(json.dumps(scores), flush=True)
            continue
        if refused:
            print(f"{name}\tnone of these")
        for place in sorted(range(len(scores)), key=lambda place: -scores[place])[:5]:
            print(f"{name}\t{labels[place]}\t{scores[place]:.4f}")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
