"""Keys get a scope and may expire. Those that exist may do everything and never expire, as before.

Undone, keys that may only classify are revoked: the code before this would let them do everything.
"""

from django.db import migrations, models
from django.utils import timezone


def revoke_limited(apps, schema_editor):
    keys = apps.get_model("classifier", "ApiKey").objects.filter(revoked_at=None)
    limited = models.Q(scope="classify") | models.Q(expires_at__isnull=False)
    keys.filter(limited).update(revoked_at=timezone.now())


class Migration(migrations.Migration):

    dependencies = [("classifier", "0011_words_of_configs")]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="scope",
            field=models.CharField(
                choices=[("everything", "everything"), ("classify", "classify only")],
                default="everything",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="expires_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(("scope__in", ["everything", "classify"])), name="key_scope_known"
            ),
        ),
        migrations.RunPython(migrations.RunPython.noop, revoke_limited),
    ]
