"""Keep with an export which names its classes have in it. Undone, the names are forgotten; the files stay."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("classifier", "0015_waiting_jobs")]

    operations = [
        migrations.AddField(
            model_name="export",
            name="labels",
            field=models.JSONField(
                help_text="names of the classes in the files; null if older than this field", null=True
            ),
        ),
    ]
