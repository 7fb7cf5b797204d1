from django.db import migrations, models
from django.utils import timezone


def date_removals(apps, schema_editor):
    """Give those that were removed before there was a trash the whole time in it."""
    backbones = apps.get_model("classifier", "CustomBackbone").objects.filter(project=None, is_offered=False)
    for custom in backbones.exclude(name="").exclude(owner=None):
        if not backbones.model.objects.filter(owner=custom.owner, name=custom.name, pk__gt=custom.pk).exists():
            backbones.filter(pk=custom.pk).update(removed_at=timezone.now())


class Migration(migrations.Migration):
    dependencies = [("classifier", "0042_passkeys")]

    operations = [
        migrations.AddField(
            "custombackbone",
            "removed_at",
            models.DateTimeField(blank=True, help_text="when its owner moved it to the trash", null=True),
        ),
        migrations.RunPython(date_removals, migrations.RunPython.noop),
    ]
