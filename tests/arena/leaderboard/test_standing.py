import pytest
from django.template import Context, Template

from arena.leaderboard.models import RatingRun, Standing
from tests.arena.votes.building import make_contestant

pytestmark = pytest.mark.django_db
TEMPLATE = Template(
    "{% load standing %}{% standings 'duel' as all %}"
    "{% with p=all|of:pk %}{{ p.rank }}/{{ p.total }}/{{ p.votes }}{% endwith %}"
)


def shown(pk: int) -> str:
    return TEMPLATE.render(Context({"pk": pk}))


def test_a_page_below_the_boards_can_name_a_rank() -> None:
    first, second, unranked = (make_contestant(epoch) for epoch in (1, 2, 3))
    run = RatingRun.objects.create(metric="trueskill", poll="duel", population="people", methodology="t")
    other = RatingRun.objects.create(metric="elo", poll="duel", population="people", methodology="t")
    Standing.objects.create(rating_run=run, contestant=first, rank=1, votes=7)
    Standing.objects.create(rating_run=run, contestant=second, rank=2, votes=5)
    Standing.objects.create(rating_run=run, contestant=unranked, rank=None)
    Standing.objects.create(rating_run=other, contestant=unranked, rank=1)
    part = RatingRun.objects.create(
        metric="trueskill", poll="duel", population="people", cut="character=mei", methodology="t"
    )
    Standing.objects.create(rating_run=part, contestant=second, rank=1, votes=1)
    assert shown(second.pk) == "2/2/5"
    assert shown(unranked.pk) == "//"


def test_without_boards_there_is_none() -> None:
    assert shown(1) == "//"
