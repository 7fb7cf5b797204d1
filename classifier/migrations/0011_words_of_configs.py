"""Stored settings take the field's words: the recipe `sgd`, `augmented_copies`, `augmentation`; backbones their origin.

Undone, it puts the old words back.
"""

import json

from django.db import migrations

SETTINGS = {"distorted_views": "augmented_copies", "view": "augmentation"}
RECIPES = {"poets": "sgd"}


def rename(config, settings, recipes):
    renamed = {settings.get(name, name): value for name, value in config.items()}
    if renamed.get("recipe") in recipes:
        renamed["recipe"] = recipes[renamed["recipe"]]
    return renamed


def rename_all(apps, settings, recipes):
    for name in ("Job", "ModelVersion"):
        for row in apps.get_model("classifier", name).objects.only("pk", "config").iterator(chunk_size=1000):
            renamed = rename(row.config, settings, recipes)
            if renamed != row.config:
                row.config = renamed
                row.save(update_fields=["config"])


def set_origins(apps, origin_of):
    rows = apps.get_model("classifier", "CustomBackbone").objects.exclude(spec=None).select_related("job")
    for row in rows.iterator(chunk_size=1000):
        spec = json.loads(row.spec["text"])
        spec.pop("origin", None)
        spec |= origin_of(row)
        row.spec = {**row.spec, "text": json.dumps(spec, sort_keys=True)}
        row.save(update_fields=["spec"])


def origin_of(row):
    if row.job is not None and row.job.kind == "train":
        return {"origin": "fine_tuned"}
    return {"origin": "imported" if row.project_id else "uploaded"}


def forward(apps, schema_editor):
    rename_all(apps, SETTINGS, RECIPES)
    set_origins(apps, origin_of)


def back(apps, schema_editor):
    rename_all(apps, {new: old for old, new in SETTINGS.items()}, {new: old for old, new in RECIPES.items()})
    set_origins(apps, lambda row: {})


class Migration(migrations.Migration):

    dependencies = [("classifier", "0010_custom_backbones")]

    operations = [migrations.RunPython(forward, back)]
