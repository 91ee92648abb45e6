from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('evaluations', '0005_probe_scores'),
    ]

    operations = [
        migrations.AddField(
            model_name='evaluationrun',
            name='broken',
            field=models.JSONField(default=list, help_text='Images that came out broken and are not tried again unasked: prompt, seed, problem.'),
        ),
        migrations.AlterField(
            model_name='evaluationrun',
            name='state',
            field=models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('incomplete', 'Incomplete'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=10),
        ),
    ]
