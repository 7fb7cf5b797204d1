"""Numbers as people read them."""

from typing import Any

from django import template
from django.contrib.messages.storage.base import Message
from django.utils import timezone

from classifier.custom_backbone_forms import framing_title, range_title
from classifier.jobs.kinds import KINDS
from classifier.jobs.progress import Progress
from classifier.live import describe_counts
from classifier.models import Job
from classifier.outages import describe_wait
from classifier.percentages import as_percent
from classifier.services.backbone_comparisons import Judged, judge_trials
from classifier.services.history import UNDO_TAG
from ml.datasets.file_names import TABLES
from ml.datasets.names import ARCHIVE_SUFFIXES, CAN_READ_ZSTD, NO_RAR_NOR_7Z, NO_ZSTD, OTHER_ARCHIVES, why_no_archive
from ml.images.formats import list_endings, list_titles
from ml.training.config import describe_config
from ml.training.recipes.registry import RECIPES
from ml.videos.frames import can_read_videos

register = template.Library()

# Browsers do not count all of these as pictures.
PICTURE_TYPES = ",".join(["image/*", *(f".{ending}" for ending in list_endings())])


@register.simple_tag
def picture_types() -> str:
    """Return what a field for pictures accepts."""
    return PICTURE_TYPES


@register.simple_tag
def archive_endings() -> str:
    """Return the endings of archives that are read, as a field accepts them."""
    return ",".join(ARCHIVE_SUFFIXES)


@register.simple_tag
def table_endings() -> str:
    """Return the endings of tables of classes, as a field accepts them."""
    return ",".join(f".{ending}" for ending in TABLES)


@register.simple_tag
def other_archives() -> str:
    """Return the endings of archives that are not read."""
    return ",".join(OTHER_ARCHIVES)


@register.simple_tag
def no_archive() -> str:
    """Return the sentence about a file that is no archive that is read."""
    zstd = "" if CAN_READ_ZSTD else f" {NO_ZSTD}"
    return f"{why_no_archive('')} {NO_RAR_NOR_7Z}{zstd}"


@register.simple_tag
def upload_types() -> str:
    """Return what a field for pictures of a class accepts: videos too, where they are read."""
    return f"{PICTURE_TYPES},video/*" if can_read_videos() else PICTURE_TYPES


@register.simple_tag
def upload_formats() -> str:
    """Return the formats that can be brought in, for a sentence."""
    videos = "; short videos (MP4, MOV, WebM) become pictures, one a second" if can_read_videos() else ""
    return picture_formats() + videos


@register.simple_tag
def picture_formats() -> str:
    """Return the formats that can be read, for a sentence."""
    *most, last = list_titles()
    return f"{', '.join(most)} and {last}"


@register.filter
def percent(share: float | None) -> str:
    """Format a share: 0.9231 -> "92.3 %"; None -> "–"."""
    return as_percent(share)


@register.filter
def unlocalized(number: float) -> str:
    """Format a number for attributes, where a decimal comma would be wrong."""
    return f"{number:.4f}"


@register.filter
def rate(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


@register.filter
def duration(seconds: float) -> str:
    """Format seconds: 75 -> "1 min 15 s"."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@register.filter
def counts(progress: Progress) -> str:
    """Say how much of a stage is done, and how fast it goes."""
    return describe_counts(progress)


@register.filter
def time_left(progress: Progress) -> str:
    """Say how long it still takes, "40 s left", and by how much a stage is late; as job_live.js does."""
    if progress.eta is None:
        return ""
    late = f", {duration(progress.late_by)} longer than foreseen" if progress.late_by else ""
    return f"{duration(progress.eta)} left{late}"


@register.filter
def kind_title(name: str) -> str:
    """Return what a kind of job is called; its name where this program does not know it."""
    return KINDS[name].title if name in KINDS else name


@register.filter
def took(job: Job) -> str:
    if not job.started_at or not job.finished_at:
        return "no time"
    return duration((job.finished_at - job.started_at).total_seconds())


@register.filter
def waited(job: Job) -> str:
    """Return for how long a job has waited since it was queued."""
    return duration((timezone.now() - job.created_at).total_seconds())


@register.filter
def act_to_undo(message: Message) -> str:
    """Return the id of the act that a message tells of, empty where it tells of none that can be undone."""
    return next((tag.removeprefix(UNDO_TAG) for tag in message.tags.split() if tag.startswith(UNDO_TAG)), "")


@register.filter
def base_name(path: str) -> str:
    """Return the last part of a path: fruit/apple/1.jpg -> 1.jpg."""
    return path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] or path


@register.filter
def settings_of(config: dict[str, Any]) -> list[tuple[str, str]]:
    """List (label, value) of the settings of a version's config that had an effect."""
    return describe_config(config)


@register.filter
def item(values: dict[str, Any], key: str) -> Any:
    """Return the value of a key, or nothing."""
    return values.get(key)


@register.filter
def points(share: float | None) -> str:
    """Format a difference of shares: 0.05 -> "+5.0 points"; None and 0 -> "–"."""
    return f"{100 * share:+.1f} points" if share else "–"


@register.filter
def of_hundred(share: float | None) -> str:
    """Say a share as how many of a hundred: 0.93 -> "93"; None -> "an unknown number"."""
    return "an unknown number" if share is None else f"{100 * share:.0f}"


@register.filter
def wait(outage: str) -> str:
    """Say what a job waits for."""
    return describe_wait(outage)


@register.filter
def recipe_title(name: str) -> str:
    return RECIPES[name].title if name in RECIPES else name


register.filter("range_title", range_title)
register.filter("framing_title", framing_title)


@register.filter
def small(number: float) -> str:
    """Format a small number: 0.000123 -> "0.00012"; what is nearly nothing says so."""
    return "less than 0.00001" if number < 1e-5 else f"{number:.2g}"


@register.filter
def judged_backbones(job: Job) -> list[Judged]:
    """List what a comparison of backbones says of each."""
    return judge_trials(job)
