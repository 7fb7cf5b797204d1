"""What the pages say in numbers is what the code does."""

import importlib
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ml.images.formats import list_titles

ROOT = Path(__file__).resolve().parents[2]
WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
MB, GB, MILLION = 2**20, 2**30, 10**6

LOST_AFTER = "classifier.jobs.recovery:LOST_AFTER"
TENSORBOARDS = "classifier.tensorboard.proxy:MAX_PROCESSES"
SOURCES = "ml.model_import.sources"
IDLE = "classifier.tensorboard.proxy:IDLE_SECONDS"
DEATHS = "classifier.jobs.lifecycle:MAX_WORKER_DEATHS"
MAX_CHUNK = "worker.embed:MAX_CHUNK"
MAX_PART = "worker.ingest:MAX_PART"
HELD = "ml.serving.inference:BACKBONES_HELD"
MAX_PICTURE_BYTES = "poetsweb.settings:IMAGE_LIMITS.max_bytes"
MAX_PIXELS = "poetsweb.settings:IMAGE_LIMITS.max_pixels"

# The page, what is written there with the number in brackets, the constant, and the unit the page has it in.
NUMBERS: list[tuple[str, str, str, float]] = [
    ("docs/architecture.md", r"`embed` jobs of (\S+) pictures and fewer", MAX_CHUNK, 1),
    ("docs/architecture.md", r"`read` jobs of (\S+) files and fewer", MAX_PART, 1),
    ("docs/operations.md", r"parts of up to (\S+) pictures", MAX_CHUNK, 1),
    ("docs/operations.md", r"an inference server holds (\w+) at a time", HELD, 1),
    ("docs/decisions/0002*.md", r"keep (\w+) backbones each", HELD, 1),
    ("docs/decisions/0002*.md", r"up to (\d+) MB of them", "classifier.services.prediction:HEAD_BYTES", MB),
    ("docs/decisions/0003*.md", r"a sign of life every (\w+) seconds", "worker.run:BEAT_SECONDS", 1),
    ("docs/decisions/0003*.md", r"suspects a silent one after (\d+) seconds", LOST_AFTER, 1),
    ("docs/decisions/0003*.md", r"after (\w+) dead workers without", DEATHS, 1),
    ("docs/decisions/0007*.md", r"([\d.]+) % agreement", "ml.exports.registry:SAME_NUMBERS.agreement", 0.01),
    ("docs/decisions/0007*.md", r"mean difference of ([\d.]+)", "ml.exports.registry:SAME_NUMBERS.mean_difference", 1),
    (
        "docs/decisions/0009*.md",
        r"small rate\s\(([\d.]+)\)",
        "ml.training.config:TrainConfig.model_fields.fine_tuning_rate.default",
        1,
    ),
    ("docs/decisions/0009*.md", r"averages of (\d+)\spictures", "ml.training.fine_tuning.pictures:BATCH", 1),
    ("docs/decisions/0009*.md", r"no better for (\w+) epochs", "ml.training.fine_tuning:PATIENCE", 1),
    ("docs/custom-backbones.md", r"At most (\S+) classes can be imported", SOURCES + ":MAX_CLASSES", 1),
    ("docs/custom-backbones.md", r"may take (\d+) GB of memory", "ml.sandbox.confine:MEMORY", GB),
    ("docs/custom-backbones.md", r"fetched by a worker, at most (\d+) GB", SOURCES + ":MAX_MODEL_BYTES", GB),
    ("docs/decisions/0020*.md", r"half precision, (\d+) MB", "classifier.services.training_pictures:HELD_BYTES", MB),
    ("docs/operations.md", r"silence of a worker until .* \| (\d+) s", LOST_AFTER, 1),
    ("docs/operations.md", r"suspects that it is dead; (\d+) s later", "classifier.jobs.recovery:CONFIRM_SECONDS", 1),
    ("docs/operations.md", r"open jobs of a user \| (\d+)", "poetsweb.env:ENVIRONMENT.QUOTA_USER_JOBS", 1),
    ("docs/decisions/0014*.md", r"no sign for (\w+) seconds", "classifier.models.upload:SILENCE.seconds", 1),
    ("docs/operations.md", r"in parts of a user \| (\d+)", "classifier.services.resumable:MOST_OPEN", 1),
    ("docs/operations.md", r"an unfinished upload is deleted \| (\d+)", "classifier.services.resumable:KEPT.days", 1),
    ("docs/operations.md", r"one part of an upload \| (\d+) MB", "classifier.services.resumable:MOST_PART", MB),
    ("docs/operations.md", r"below which uploads are refused \| (\d+) MB", "classifier.disk:RESERVED", 2**20),
    ("docs/operations.md", r"below which administrators are warned \| (\d+) GB", "classifier.disk:LOW", 2**30),
    ("docs/operations.md", r"within about (\d+) seconds", "classifier.jobs.recovery:SEND_AGAIN_AFTER", 1),
    ("docs/operations.md", r"“The worker died (\d+) times", DEATHS, 1),
    ("docs/operations.md", r"without progress, until a job fails \| (\d+)", DEATHS, 1),
    ("docs/operations.md", r"100 MB each, (\w+) at\smost", TENSORBOARDS, 1),
    ("docs/operations.md", r"It ends (\w+) minutes after the last look", IDLE, 60),
    ("docs/operations.md", r"same time \| (\d+) on each machine; each ends", TENSORBOARDS, 1),
    ("docs/operations.md", r"each ends after (\d+) minutes unseen", IDLE, 60),
    ("docs/operations.md", r"size of a picture's file \| (\d+) MB", MAX_PICTURE_BYTES, MB),
    ("docs/operations.md", r"pixels of a picture \| (\d+) million", MAX_PIXELS, MILLION),
    ("docs/operations.md", r"files in an archive \| (\S+)", "poetsweb.settings:ARCHIVE_LIMITS.max_entries", 1),
    ("docs/operations.md", r"unpacks to \| (\d+) GB", "poetsweb.settings:ARCHIVE_LIMITS.max_total_bytes", GB),
    ("docs/operations.md", r"request to classify \| (\d+)", "poetsweb.settings:MAX_CLASSIFY_FILES", 1),
    ("docs/operations.md", r"files of one request \| (\S+)", "poetsweb.settings:DATA_UPLOAD_MAX_NUMBER_FILES", 1),
    ("docs/administration.md", r"link that works for (\d+) hours", "classifier.services.domain_sign_up:HOURS", 1),
    ("docs/administration.md", r"password is set: once, within (\d+) days", "classifier.services.users:LINK_DAYS", 1),
    (
        "docs/administration.md",
        r"At most (\d+) mails an hour go",
        "classifier.services.mail_requests:MOST_TO_ADDRESS",
        1,
    ),
    ("docs/administration.md", r"at most (\d+) can be asked", "classifier.services.mail_requests:MOST_FROM_ADDRESS", 1),
    ("docs/picture-policy.md", r"up to (\d+) MB", MAX_PICTURE_BYTES, MB),
    ("docs/picture-policy.md", r"(\d+) million pixels", MAX_PIXELS, MILLION),
]


def read_page(pattern: str) -> str:
    (path,) = ROOT.glob(pattern)
    return path.read_text()


def read_constant(place: str) -> float:
    module, _, names = place.partition(":")
    found: Any = importlib.import_module(module)
    for name in names.split("."):
        found = found[name] if isinstance(found, dict) else getattr(found, name)
    return found.total_seconds() if isinstance(found, timedelta) else float(found)


@pytest.mark.parametrize(("page", "written", "place", "unit"), NUMBERS)
def test_number_on_a_page_is_the_code_s(page: str, written: str, place: str, unit: float) -> None:
    quoted = re.findall(written, " ".join(read_page(page).split()))  # wherever its lines are broken
    assert quoted, "the page does not say so any more: take the line out of the table, or mend it"
    for number in quoted:
        assert float(WORDS.get(number, number.replace(",", ""))) == pytest.approx(read_constant(place) / unit)


def test_bundled_backbones_are_as_many_as_the_pages_say() -> None:
    from ml.backbones.registry import BACKBONES

    bundled = [one for one in BACKBONES.values() if not (one.hidden or one.published or one.members)]
    for page, written in (("README.md", r"(\w+) pretrained networks"), ("docs/operations.md", r"(\w+) backbones are")):
        (number,) = re.findall(written, read_page(page))
        assert WORDS[number.lower()] == len(bundled), page


@pytest.mark.parametrize("page", sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md")))
def test_steps_are_numbered_one_after_another(page: str) -> None:
    """Find lists that were changed and not read: a number is there twice, or left out."""
    before = 0
    for line in read_page(page).splitlines():
        step = re.match(r"(\d+)\. ", line)
        if step:
            assert int(step[1]) in (before + 1, 1), line
            before = int(step[1])


@pytest.mark.parametrize(
    "page", sorted(str(one.relative_to(ROOT)) for one in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))
)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", read_page(page)):
        assert (ROOT / page).parent.joinpath(target).exists(), target


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_files_that_pages_name_exist(page: str) -> None:
    named = re.findall(r"`((?:ml|worker|classifier|poetsweb|tests|bench)/[\w./-]+)`", read_page(page))
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_readme_is_short() -> None:
    lines = read_page("README.md").splitlines()
    assert len(lines) < 80
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("title", list_titles())
def test_page_about_pictures_names_every_format(title: str) -> None:
    assert f" {title}" in f" {read_page('docs/picture-policy.md').partition('cannot be read')[0]}".replace("\n", " ")
