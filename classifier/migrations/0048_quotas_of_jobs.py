from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("classifier", "0047_pictures_of_reports")]

    operations = [
        migrations.AddField(
            model_name="account",
            name="quota_jobs",
            field=models.PositiveIntegerField(help_text="open at a time, instead of the setting", null=True),
        ),
        migrations.AddField(
            model_name="account",
            name="quota_requests",
            field=models.PositiveIntegerField(help_text="an hour with keys, instead of the setting", null=True),
        ),
    ]
