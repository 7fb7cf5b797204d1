import django.db.models.deletion
from django.db import migrations, models


def forget_what_is_in_files(apps, schema_editor):
    """Delete the embeddings that the program before cannot read; it computes them again."""
    apps.get_model("classifier", "Embedding").objects.exclude(shard=None).delete()


class Migration(migrations.Migration):
    dependencies = [("classifier", "0043_backbone_trash")]

    operations = [
        migrations.CreateModel(
            name="EmbeddingShard",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=80)),
                ("sha256", models.CharField(max_length=64, unique=True)),
                (
                    "count",
                    models.PositiveIntegerField(
                        help_text="of the pictures in the file; some may have been deleted since"
                    ),
                ),
                ("size", models.PositiveBigIntegerField(help_text="bytes")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "emptied_at",
                    models.DateTimeField(
                        help_text="when no embedding was found to be in it any longer", null=True
                    ),
                ),
            ],
        ),
        migrations.AddField(
            "embedding",
            "shard",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="embeddings",
                to="classifier.embeddingshard",
            ),
        ),
        migrations.RunPython(migrations.RunPython.noop, forget_what_is_in_files),
    ]
