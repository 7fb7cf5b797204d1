"""A job gets a typed result, a state of its own and a number within its project."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("classifier", "0006_public_links")]

    operations = [
        migrations.RenameField(model_name="job", old_name="losses", new_name="worker_deaths"),
        migrations.AlterField(
            model_name="job",
            name="kind",
            field=models.CharField(help_text="a name of classifier.jobs.kinds", max_length=20),
        ),
        migrations.AddField(
            model_name="job",
            name="number",
            field=models.PositiveIntegerField(help_text="of its project, for people; parts of a job have none", null=True),
        ),
        migrations.AddField(
            model_name="job",
            name="result",
            field=models.JSONField(default=dict, help_text="what it gave, see the result of its kind"),
        ),
        migrations.AddField(
            model_name="job",
            name="state",
            field=models.JSONField(default=dict, help_text="for the code alone, see classifier.jobs.kinds.JobState"),
        ),
    ]
