"""What people decide for a project as a whole."""

from typing import Any

from django.db import transaction

from classifier.models import Project
from ml.errors import Refused

FIELDS = ("least_accuracy", "least_recall", "not_worse")
PERCENTAGES = ("least_accuracy", "least_recall")


class SettingsRefused(Refused):
    """The settings cannot be as they were asked for. The message is a sentence for the user."""


@transaction.atomic
def change_settings(project: Project, **values: Any) -> Project:
    """Change some of FIELDS; what is left out stays. Raise SettingsRefused."""
    kept = Project.objects.select_for_update().get(pk=project.pk)
    for name, value in values.items():
        if name in PERCENTAGES and value is not None and not 1 <= value <= 100:
            raise SettingsRefused(f"{name} is a whole number from 1 to 100, for percent, or null.")
        setattr(kept, name, value)
    kept.save(update_fields=list(values))
    return kept
