from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("classifier", "0046_purged_pictures")]

    operations = [
        migrations.AddField(
            model_name="uploaditem",
            name="picture",
            field=models.BigIntegerField(help_text="the id of its image, which may be gone", null=True),
        ),
    ]
