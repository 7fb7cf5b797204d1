import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("classifier", "0038_mail_requests")]

    operations = [
        migrations.CreateModel(
            name="SignUp",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("username", models.CharField(max_length=150)),
                ("email", models.EmailField(max_length=254)),
                ("password", models.CharField(help_text="hashed", max_length=128)),
                (
                    "invitation",
                    models.CharField(blank=True, help_text="the token of one that they come from", max_length=64),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, db_index=True)),
            ],
        ),
        migrations.AlterField(
            model_name="mailrequest",
            name="kind",
            field=models.CharField(
                choices=[("password", "Set a password"), ("sign_up", "Make an account")], max_length=10
            ),
        ),
        migrations.AddField(
            model_name="mailrequest",
            name="sign_up",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="mail_requests",
                to="classifier.signup",
            ),
        ),
    ]
