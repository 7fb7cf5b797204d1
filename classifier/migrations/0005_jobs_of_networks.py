"""Nothing to do on the way forward; on the way back, jobs that the earlier tables have no room for go first."""

from django.db import migrations


def forget_jobs_of_networks(apps, schema_editor):
    """The way back: before this there were neither networks nor the jobs that add them."""
    jobs = apps.get_model("classifier", "Job").objects
    jobs.filter(kind__in=["backbone", "import"]).delete()


class Migration(migrations.Migration):

    dependencies = [("classifier", "0004_networks")]

    operations = [migrations.RunPython(migrations.RunPython.noop, forget_jobs_of_networks)]
