"""Studies: what figures need of all votes at once, kept and made anew."""

from datetime import timedelta

from django.test import Client
from django.utils import timezone

from arena.leaderboard.figures.asking import Ask
from arena.leaderboard.figures.making import made
from arena.leaderboard.log import Slice
from arena.leaderboard.models import Study
from arena.leaderboard.studying import renew, study


def test_a_large_log_is_studied_by_the_worker(
    client: Client, voted, monkeypatch, django_capture_on_commit_callbacks
) -> None:
    sent: list[int] = []
    monkeypatch.setattr("arena.leaderboard.studying.SETTLED_AT_ONCE", 10)
    monkeypatch.setattr("arena.leaderboard.tasks.renew_study.delay", sent.append)
    with django_capture_on_commit_callbacks(execute=True):
        page = client.get("/figures/wins/").content.decode()
        client.get("/figures/wins/")
    assert 'data-state="unknown"' in page
    assert 'http-equiv="refresh"' in page
    row = Study.objects.get()
    assert sent == [row.pk], "asked once a minute"
    renew(Slice())
    page = client.get("/figures/wins/").content.decode()
    assert 'http-equiv="refresh"' not in page
    assert "90 votes counted" in page


def test_a_study_follows_votes_exclusions_and_age(voted, monkeypatch) -> None:
    monkeypatch.setattr("arena.leaderboard.studying.SETTLED_AT_ONCE", 10)
    first = renew(Slice())
    extra = voted.vote("duel", "base run:1", "1")
    found = study(Slice())
    assert (found.counted, found.behind) == (90, 1), "one vote of ninety can wait"
    assert study(Slice(), patient=True).counted == 90
    Study.objects.filter(pk=first.pk).update(updated_at=timezone.now() - timedelta(minutes=11))
    assert study(Slice(), patient=True).counted == 91
    voted.exclude(extra)
    assert study(Slice(), patient=True).counted == 90


def test_figures_of_slices_and_populations_are_their_own(voted) -> None:
    voted.vote("duel", "base run:1", "1", "simulated")
    assert made(Ask("wins", population="simulated")).votes == 1
    assert made(Ask("wins", cut="content_rating=general")).votes == 90
    assert made(Ask("wins", poll="ffa")).state == "no-votes"
