import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('classifier', '0026_measured_stage_times'),
    ]

    operations = [
        migrations.CreateModel(
            name='EvaluationSummary',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(help_text="of the artifact or of the audit's file", max_length=64)),
                ('format', models.PositiveIntegerField(help_text='SUMMARY_VERSION of the program that computed it')),
                ('classes', models.JSONField(help_text='ids, in the order of the places')),
                ('summary', models.JSONField()),
                ('curves', models.JSONField(help_text='of each class')),
                ('created_at', models.DateTimeField(auto_now=True)),
                ('model_version', models.OneToOneField(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='evaluation_summary', to='classifier.modelversion')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='evaluation_summaries', to='classifier.project')),
            ],
        ),
        migrations.AddConstraint(
            model_name='evaluationsummary',
            constraint=models.UniqueConstraint(condition=models.Q(('model_version', None)), fields=('project',), name='checked_summary_once'),
        ),
    ]
