from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("classifier", "0036_ownerless_backbones")]

    operations = [
        migrations.AddField(
            model_name="job",
            name="request_id",
            field=models.CharField(
                blank=True,
                default="",
                db_default="",
                help_text="of the request that asked for it, for the logs",
                max_length=64,
            ),
        ),
    ]
