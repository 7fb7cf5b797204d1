"""Samples may have no class; splits may be given, and dataset versions say how many were. So far all were dealt."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("classifier", "0018_background_jobs")]

    operations = [
        migrations.AlterField(
            model_name="sample",
            name="image_class",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="samples",
                to="classifier.imageclass",
            ),
        ),
        migrations.AddField(
            model_name="sample",
            name="split_is_given",
            field=models.BooleanField(default=False, help_text="by a folder or a table, not dealt"),
        ),
        migrations.AddField(
            model_name="datasetversion",
            name="given",
            field=models.JSONField(default=dict, help_text="{split: how many of its pictures were given it}"),
        ),
    ]
