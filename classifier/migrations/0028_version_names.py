from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('classifier', '0027_evaluation_summaries'),
    ]

    operations = [
        migrations.AddField(
            model_name='modelversion',
            name='name',
            field=models.CharField(blank=True, default='', max_length=100),
        ),
        migrations.AddField(
            model_name='modelversion',
            name='note',
            field=models.TextField(blank=True, default='', max_length=2000),
        ),
        migrations.AddField(
            model_name='modelversion',
            name='pinned',
            field=models.BooleanField(default=False, help_text='stands before the others'),
        ),
    ]
