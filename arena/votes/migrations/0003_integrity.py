"""Undo, reveal, screening, revoking and flags. votes_vote gets a column that SQLite adds in place: the trigger stays."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


def mark_revealed(apps, schema_editor):
    """Votes cast until now were revealed at once, so none of them can be undone."""
    answer = apps.get_model("votes", "Vote").objects.filter(ticket=models.OuterRef("pk"))
    answered = apps.get_model("votes", "Ticket").objects.filter(vote__isnull=False)
    answered.update(revealed_at=models.Subquery(answer.values("created_at")[:1]))


class Migration(migrations.Migration):

    dependencies = [
        ('gallery', '0001_initial'),
        ('polls', '0002_content_rating'),
        ('votes', '0002_append_only'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='ticket',
            name='revealed_at',
            field=models.DateTimeField(blank=True, help_text='When the voter was told who it was.', null=True),
        ),
        migrations.AddField(
            model_name='ticket',
            name='shown_at',
            field=models.DateTimeField(blank=True, help_text='When its page was first sent, by our clock.', null=True),
        ),
        migrations.AddField(
            model_name='vote',
            name='answered_after_ms',
            field=models.PositiveBigIntegerField(help_text='Between the showing and the answer, by our clock; None where it is not known.', null=True),
        ),
        migrations.AddField(
            model_name='voteexclusion',
            name='rule',
            field=models.CharField(choices=[('undone', 'Undone by the voter'), ('too-fast', 'Too fast'), ('one-sided', 'One-sided'), ('duplicate', 'Duplicate'), ('flagged', 'Flagged image'), ('rate', 'Too many a minute'), ('random', 'Random'), ('fan', 'Always for the same'), ('revoked', 'Voter revoked'), ('by-hand', 'By hand')], default='by-hand', max_length=10),
        ),
        migrations.AddField(
            model_name='voteexclusion',
            name='state',
            field=models.CharField(choices=[('excluded', 'Excluded'), ('unverified', 'Unverified')], default='excluded', max_length=10),
        ),
        migrations.AddField(
            model_name='voter',
            name='last_screened_number',
            field=models.PositiveBigIntegerField(default=0, help_text="Number of the voter's last vote that screening has looked at."),
        ),
        migrations.AddField(
            model_name='voter',
            name='revoked_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='voter',
            name='revoked_reason',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name='voter',
            name='settings',
            field=models.JSONField(blank=True, default=dict, help_text='Keys, language, always_reveal and the like.'),
        ),
        migrations.AddField(
            model_name='voter',
            name='user',
            field=models.ForeignKey(blank=True, help_text='The account that keeps the history of several devices; most voters have none.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='voters', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AlterField(
            model_name='ticket',
            name='matchup',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='tickets', to='polls.matchup'),
        ),
        migrations.CreateModel(
            name='ImageFlag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('decision', models.CharField(blank=True, choices=[('kept', 'Kept'), ('hidden', 'Hidden')], max_length=10, null=True)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('sample', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='flags', to='gallery.sample')),
                ('voter', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='image_flags', to='votes.voter')),
            ],
            options={
                'ordering': ('id',),
                'constraints': [models.UniqueConstraint(fields=('voter', 'sample'), name='one_flag_per_voter_and_sample')],
            },
        ),
        migrations.RunPython(mark_revealed, migrations.RunPython.noop),
    ]
