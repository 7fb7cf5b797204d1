from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("classifier", "0012_key_scopes")]

    operations = [
        migrations.CreateModel(
            name="SetUpCode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("nonce", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("pk", 1)), name="set_up_code_once"),
                ],
            },
        ),
    ]
