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
            ],
        ),
    ]
