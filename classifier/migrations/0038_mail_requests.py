from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("classifier", "0037_job_request_id")]

    operations = [
        migrations.CreateModel(
            name="MailRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[("password", "Set a password")], max_length=10)),
                ("email", models.EmailField(help_text="as it was typed, in small letters", max_length=254)),
                (
                    "asked_from",
                    models.CharField(blank=True, help_text="the address of the visitor", max_length=64),
                ),
                ("next_try_at", models.DateTimeField(help_text="empty when it has been dealt with", null=True)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["pk"],
                "indexes": [
                    models.Index(fields=["email", "created_at"], name="mail_request_email"),
                    models.Index(fields=["asked_from", "created_at"], name="mail_request_asked_from"),
                    models.Index(fields=["next_try_at"], name="mail_request_due"),
                ],
            },
        ),
    ]
