"""Keep the rates of fine-tuning that earlier jobs measured as those of their stage."""

from django.db import migrations


def keep_rates(apps, schema_editor):
    Job, StageTime = apps.get_model("classifier", "Job"), apps.get_model("classifier", "StageTime")
    for job in Job.objects.filter(kind="train", state__has_key="tuning_seconds").iterator():
        job.state.pop("tuning_seconds")
        Job.objects.filter(pk=job.pk).update(state=job.state)
    measured = Job.objects.filter(kind="train", status="SUCCEEDED", state__measured__has_key="fine_tuning_rate")
    for job in measured.order_by("pk").iterator():
        rate, pictures = job.state["measured"]["fine_tuning_rate"], job.state["measured"].get("fine_tuning_pictures", 0)
        depends = f"backbone={job.config.get('backbone', '')} fine_tuning={job.config.get('fine_tuning', '')}"[:200]
        if rate > 0:
            StageTime.objects.update_or_create(
                kind="train",
                stage="fine_tune",
                depends=depends,
                machine="",
                size=0,
                defaults={"seconds": pictures / rate, "rate": rate},
            )


class Migration(migrations.Migration):
    dependencies = [("classifier", "0025_jobs")]

    operations = [migrations.RunPython(keep_rates, migrations.RunPython.noop, elidable=True)]
