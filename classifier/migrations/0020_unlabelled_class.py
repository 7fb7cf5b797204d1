"""Nothing forwards. Undone, samples without a class get one called “unlabelled”, as the code before knew no others."""

from django.db import migrations


def give_class(apps, schema_editor):
    samples = apps.get_model("classifier", "Sample").objects.filter(image_class=None)
    classes = apps.get_model("classifier", "ImageClass").objects
    for project in list(samples.order_by().values_list("project", flat=True).distinct()):
        unlabelled, _ = classes.get_or_create(project_id=project, name="unlabelled")
        samples.filter(project=project).update(image_class=unlabelled)


class Migration(migrations.Migration):

    dependencies = [("classifier", "0019_unlabelled_samples")]

    operations = [migrations.RunPython(migrations.RunPython.noop, give_class)]
