from django.db import migrations, models

from generation.matchup import conditions_hash

AT_ONCE = 500


def fill(apps, schema_editor):
    """Samples that were rendered before get the hash that pairing compares."""
    Sample = apps.get_model("gallery", "Sample")
    changed = []
    for sample in Sample.objects.only("pk", "manifest").iterator(AT_ONCE):
        if sample.manifest:
            sample.conditions = conditions_hash(sample.manifest)
            changed.append(sample)
        if len(changed) == AT_ONCE:
            Sample.objects.bulk_update(changed, ["conditions"])
            changed = []
    Sample.objects.bulk_update(changed, ["conditions"])


class Migration(migrations.Migration):

    dependencies = [
        ('gallery', '0003_upsampled_prompts'),
    ]

    operations = [
        migrations.AddField(
            model_name='sample',
            name='conditions',
            field=models.BigIntegerField(help_text='generation.matchup.conditions_hash of the manifest; samples meet only where it is equal.', null=True),
        ),
        migrations.AddField(
            model_name='checkpoint',
            name='imported',
            field=models.BooleanField(default=False, help_text='Only its images are here: they cannot be rendered again.'),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
