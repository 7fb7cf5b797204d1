from django.conf import settings
from django.db import migrations


def give_to_somebody(apps, schema_editor):
    """Give each backbone without an owner to the owner of its project or to an administrator: before, all had one."""
    backbones = apps.get_model('classifier', 'CustomBackbone').objects.filter(owner=None)
    users = apps.get_model(*settings.AUTH_USER_MODEL.split('.')).objects
    administrator = users.order_by('-is_superuser', 'pk').first()
    for backbone in backbones.select_related('project'):
        backbone.owner_id = backbone.project.owner_id if backbone.project else administrator and administrator.pk
        if backbone.owner_id is None:  # a site without users has no versions that need it
            backbone.delete()
        else:
            backbone.save(update_fields=['owner'])


class Migration(migrations.Migration):

    dependencies = [
        ('classifier', '0035_administration'),
    ]

    operations = [
        migrations.RunPython(migrations.RunPython.noop, give_to_somebody),
    ]
