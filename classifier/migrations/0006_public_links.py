import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def forget_jobs_for_hub(apps, schema_editor):
    """The way back: no program before this knows what to do with them."""
    apps.get_model("classifier", "Job").objects.filter(kind="hub").delete()


class Migration(migrations.Migration):

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('classifier', '0005_jobs_of_networks'),
    ]

    operations = [
        migrations.RunPython(migrations.RunPython.noop, forget_jobs_for_hub),
        migrations.AlterField(
            model_name='job',
            name='kind',
            field=models.CharField(choices=[('ingest', 'Reading pictures'), ('train', 'Training'), ('embed', 'Computing embeddings'), ('export', 'Exporting'), ('backbone', 'Adding a backbone'), ('import', 'Importing'), ('hub', "Making a backbone's file for TensorFlow Hub")], max_length=10),
        ),
        migrations.CreateModel(
            name='PublicLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token', models.CharField(max_length=64, unique=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
                ('model_version', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='public_link', to='classifier.modelversion')),
            ],
        ),
    ]
