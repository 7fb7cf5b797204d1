from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("classifier", "0044_embedding_shards")]

    operations = [
        migrations.AddField(
            model_name="externalidentity",
            name="left_at",
            field=models.DateTimeField(
                blank=True, help_text="when the account was disabled as its issuer no longer knew the person", null=True
            ),
        ),
    ]
