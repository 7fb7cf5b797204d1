"""What lay together in a job's `facts` goes to its result and its state, and jobs are numbered within their project.

Undone, it puts both back together.
"""

from collections import Counter

from django.db import migrations

RESULT = ("model_version", "unchanged", "export", "backbone", "computed")
STATE = ("promote", "tuning_seconds", "dataset_version", "checkpoint", "archive_deleted")
MEASURED = {  # in facts -> in state["measured"]
    "head_seconds": "head_seconds",
    "tuned_rate": "fine_tuning_rate",
    "tuned_pictures": "fine_tuning_pictures",
    "step_rate": "step_rate",
}
STAGES = {"answer": "extract", "read_download": "read"}  # what stages are called from now on


def split_facts(apps, schema_editor):
    jobs = apps.get_model("classifier", "Job").objects
    numbers = Counter()
    for job in jobs.order_by("pk").iterator(chunk_size=1000):
        job.result = {name: job.facts[name] for name in RESULT if name in job.facts}
        job.state = {name: job.facts[name] for name in STATE if job.facts.get(name)}
        measured = {new: job.facts[old] for old, new in MEASURED.items() if old in job.facts}
        if measured:
            job.state["measured"] = measured
        if "summaries" in job.facts:
            job.state["event_files"] = job.facts["summaries"]
        job.stage = STAGES.get(job.stage, job.stage)
        if job.project_id and not job.parent_id:
            numbers[job.project_id] += 1
            job.number = numbers[job.project_id]
        job.save(update_fields=["result", "state", "stage", "number"])


def join_facts(apps, schema_editor):
    for job in apps.get_model("classifier", "Job").objects.order_by("pk").iterator(chunk_size=1000):
        state = dict(job.state)
        measured, event_files = state.pop("measured", {}), state.pop("event_files", None)
        state.pop("sample", None)
        job.facts = {**job.result, **state, **{old: measured[new] for old, new in MEASURED.items() if new in measured}}
        if event_files:
            job.facts["summaries"] = event_files
        job.stage = {"extract": "answer"}.get(job.stage, job.stage)
        job.save(update_fields=["facts", "stage"])


class Migration(migrations.Migration):

    dependencies = [("classifier", "0007_job_results")]

    operations = [migrations.RunPython(split_facts, join_facts)]
