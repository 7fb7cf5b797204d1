"""What people decide for a project as a whole."""

from typing import Any

from django.db import transaction

from classifier.models import Project
from classifier.services.candidate_queue import train_soon
from classifier.services.candidates import forget_candidate
from classifier.services.quality_gate import has_gate
from ml.errors import Refused

FIELDS = ("least_accuracy", "least_recall", "not_worse", "up_to_date", "keeps_passing")
PERCENTAGES = ("least_accuracy", "least_recall")


class SettingsRefused(Refused):
    """The settings cannot be as they were asked for. The message is a sentence for the user."""


def change_settings(project: Project, **values: Any) -> Project:
    """Change some of FIELDS; what is left out stays. Raise SettingsRefused."""
    kept = _change(project, values)
    if kept.up_to_date:
        train_soon(kept)  # by what is asked of it now
    else:
        forget_candidate(kept)
    return kept


@transaction.atomic
def _change(project: Project, values: dict[str, Any]) -> Project:
    kept = Project.objects.select_for_update().get(pk=project.pk)
    for name, value in values.items():
        if name in PERCENTAGES and value is not None and not 1 <= value <= 100:
            raise SettingsRefused(f"{name} is a whole number from 1 to 100, for percent, or null.")
        setattr(kept, name, value)
    if kept.keeps_passing and not (kept.up_to_date and has_gate(kept)):
        raise SettingsRefused(
            "Versions are kept by themselves only where the project is always up to date and the quality gate has a "
            "condition."
        )
    kept.save(update_fields=list(values))
    return kept
