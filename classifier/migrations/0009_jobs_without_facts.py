from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("classifier", "0008_split_job_facts")]

    operations = [
        migrations.RemoveField(model_name="job", name="facts"),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.UniqueConstraint(fields=("project", "number"), name="job_number_once"),
        ),
    ]
