"""Networks that people add are custom backbones from now on."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models



class Migration(migrations.Migration):

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("classifier", "0009_jobs_without_facts"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="network", name="network_once_per_owner"),
        migrations.RenameModel(old_name="Network", new_name="CustomBackbone"),
        migrations.RenameField(model_name="custombackbone", old_name="why", new_name="litert_refusal"),
        migrations.AlterField(
            model_name="custombackbone",
            name="owner",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="custom_backbones", to=settings.AUTH_USER_MODEL),
        ),
        migrations.AlterField(
            model_name="custombackbone",
            name="project",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name="custom_backbones", to="classifier.project"),
        ),
        migrations.AlterField(
            model_name="custombackbone",
            name="job",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="custom_backbones", to="classifier.job"),
        ),
        migrations.AlterField(
            model_name="custombackbone",
            name="spec",
            field=models.JSONField(help_text="of the files, as text, and their names", null=True),
        ),
        migrations.AddConstraint(
            model_name="custombackbone",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_offered", True), ("project", None), models.Q(("name", ""), _negated=True)),
                fields=("owner", "name"),
                name="custom_backbone_once_per_owner",
            ),
        ),
        migrations.AlterField(
            model_name="export",
            name="certificate",
            field=models.JSONField(help_text="how it agrees with the site", null=True),
        ),
    ]
