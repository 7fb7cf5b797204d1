import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("classifier", "0003_exports"),
    ]

    operations = [
        migrations.AlterField(
            model_name="job",
            name="kind",
            field=models.CharField(choices=[("ingest", "Reading pictures"), ("train", "Training"), ("embed", "Computing embeddings"), ("export", "Exporting"), ("backbone", "Adding a backbone"), ("import", "Importing")], max_length=10),
        ),
        migrations.AlterField(
            model_name="job",
            name="project",
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name="jobs", to="classifier.project"),
        ),
        migrations.CreateModel(
            name="Network",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=100)),
                ("source", models.CharField(help_text="an address, or the name of the file", max_length=300)),
                ("licence", models.CharField(blank=True, max_length=100)),
                ("name", models.CharField(blank=True, db_index=True, help_text="of the backbone, from its content", max_length=40)),
                ("spec", models.JSONField(help_text="see worker.networks.spec", null=True)),
                ("size", models.PositiveBigIntegerField(default=0, help_text="bytes of its files")),
                ("why", models.CharField(blank=True, help_text="why LiteRT cannot run it", max_length=300)),
                ("is_offered", models.BooleanField(default=True, help_text="to train with; its versions need it longer")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("job", models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="networks", to="classifier.job")),
                ("owner", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="networks", to=settings.AUTH_USER_MODEL)),
                ("project", models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name="networks", to="classifier.project")),
            ],
            options={
                "ordering": ["-pk"],
                "constraints": [models.UniqueConstraint(condition=models.Q(("is_offered", True), ("project", None), models.Q(("name", ""), _negated=True)), fields=("owner", "name"), name="network_once_per_owner")],
            },
        ),
    ]
