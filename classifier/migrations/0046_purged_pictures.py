from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("classifier", "0045_directory_leavers")]

    operations = [
        migrations.CreateModel(
            name="PurgedPicture",
            fields=[
                ("sha256", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("purged_at", models.DateTimeField(db_index=True)),
                (
                    "stored_until",
                    models.DateTimeField(help_text="files that are younger were stored again: when its row was made"),
                ),
                (
                    "is_left",
                    models.BooleanField(
                        default=False, help_text="its file was stored again, and goes if no row is made"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("is_left", True)), fields=["sha256"], name="purged_and_left"
                    )
                ],
            },
        ),
    ]
