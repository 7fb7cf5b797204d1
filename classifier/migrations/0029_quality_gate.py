from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('classifier', '0028_version_names'),
    ]

    operations = [
        migrations.AddField(
            model_name='project',
            name='least_accuracy',
            field=models.PositiveSmallIntegerField(help_text='percent, of all classes together', null=True),
        ),
        migrations.AddField(
            model_name='project',
            name='least_recall',
            field=models.PositiveSmallIntegerField(help_text='percent, of each class', null=True),
        ),
        migrations.AddField(
            model_name='project',
            name='not_worse',
            field=models.BooleanField(default=False, help_text='not significantly worse than the live version'),
        ),
        migrations.AddConstraint(
            model_name='project',
            constraint=models.CheckConstraint(condition=models.Q(('least_accuracy__range', (1, 100))), name='least_accuracy_percent'),
        ),
        migrations.AddConstraint(
            model_name='project',
            constraint=models.CheckConstraint(condition=models.Q(('least_recall__range', (1, 100))), name='least_recall_percent'),
        ),
    ]
