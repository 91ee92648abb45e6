"""Flags: who may raise them, what they hide, and what an admin makes of them."""

import random
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from arena.polls.models import Poll, Seat
from arena.polls.pairing import can_be_shown, hidden_cells
from arena.votes.casting import cast, issue_ticket
from arena.votes.models import ImageFlag, Ticket, Vote, VoteExclusion, Voter
from arena.votes.moderation import decide
from tests.arena.votes.building import ready_poll

pytestmark = pytest.mark.django_db


@pytest.fixture
def poll() -> Poll:
    return ready_poll("duel", contestants=3, prompts=2)


@pytest.fixture
def seat(poll: Poll, client: Client) -> Seat:
    """A seat that the client is looking at."""
    client.get("/polls/duel/")
    return Seat.objects.first()


def flag(client: Client, seat: Seat, **fields: str):
    return client.post(f"/images/{seat.image_key}/flag", {"reason": "offensive"} | fields)


def cells_shown(poll: Poll) -> set[tuple[int, int]]:
    """Every cell that a newcomer is shown until nothing is left."""
    voter, cells = Voter.objects.create(), set()
    while ticket := issue_ticket(poll, voter, random.Random(1)):
        cells.add((ticket.matchup.prompt_id, ticket.matchup.seed))
        cast(ticket.token, "skip", voter)
    return cells


def test_a_flag_hides_the_cell_of_every_contestant_from_new_matchups(poll, client, seat) -> None:
    assert len(cells_shown(poll)) == 2
    answer = flag(client, seat)
    assert (answer.status_code, answer["Location"]) == (303, "/polls/duel/")
    raised = ImageFlag.objects.get()
    assert (raised.sample, raised.reason, raised.decision) == (seat.sample, "offensive", None)
    cell = (seat.sample.prompt_id, seat.sample.seed)
    assert hidden_cells(poll) == {cell}
    shown = cells_shown(poll)
    assert len(shown) == 1
    assert cell not in shown


def test_the_open_matchup_is_skipped_by_the_flag(poll, client, seat) -> None:
    flag(client, seat)
    vote = Vote.objects.get()
    assert (vote.ticket.matchup, vote.outcome, vote.reason) == (seat.matchup, "skip", "unsuitable")


def test_the_voter_may_stay_and_answer_and_a_second_flag_changes_nothing(poll, client, seat) -> None:
    for _ in range(2):
        assert flag(client, seat, stay="1").status_code == 303
    assert ImageFlag.objects.count() == 1
    assert not Vote.objects.exists()
    ticket = Ticket.objects.get()
    assert client.post("/polls/duel/vote", {"ticket": ticket.token, "outcome": "1"}).status_code == 303


def test_an_answered_matchup_can_be_flagged_too(poll, client, seat) -> None:
    client.post("/polls/duel/vote", {"ticket": Ticket.objects.get().token, "outcome": "1"})
    assert flag(client, seat).status_code == 303
    assert Vote.objects.get().outcome == "1"


def test_json_says_where_to_go_on(poll, client, seat) -> None:
    answer = client.post(f"/images/{seat.image_key}/flag", {"reason": "other"}, headers={"accept": "application/json"})
    assert answer.json() == {"flagged": True, "next": "/polls/duel/"}


@pytest.mark.parametrize(
    ("key", "reason", "status"), [("nothing-like-it", "other", 404), (None, "because", 400), (None, "", 400)]
)
def test_wrong_flags_are_refused(key, reason: str, status: int, client, seat) -> None:
    answer = client.post(f"/images/{key or seat.image_key}/flag", {"reason": reason})
    assert answer.status_code == status
    assert not ImageFlag.objects.exists()
    assert not Vote.objects.exists()


def test_only_the_voter_who_was_shown_it_may_flag_an_image(poll, client, seat) -> None:
    stranger = Client()
    assert flag(stranger, seat).status_code == 403
    stranger.get("/polls/duel/")
    assert flag(stranger, seat).status_code == 403
    assert client.get(f"/images/{seat.image_key}/flag").status_code == 405
    assert not ImageFlag.objects.exists()


def test_a_voter_flags_so_many_images_a_day(poll, client, settings, seat) -> None:
    settings.ARENA_FLAGS_A_DAY = 1
    flag(client, seat, stay="1")
    other = Seat.objects.exclude(sample=seat.sample).first()
    answer = flag(client, other, stay="1")
    assert answer.status_code == 429
    assert ImageFlag.objects.count() == 1
    ImageFlag.objects.update(created_at=timezone.now() - timedelta(days=2))
    assert flag(client, other, stay="1").status_code == 303


def test_more_flags_can_be_needed_and_those_of_revoked_voters_do_not_count(poll, client, settings, seat) -> None:
    settings.ARENA_FLAGS_TO_HIDE = 2
    flag(client, seat)
    assert hidden_cells(poll) == set()
    ImageFlag.objects.create(voter=Voter.objects.create(), sample=seat.sample)
    assert len(hidden_cells(poll)) == 1
    Voter.objects.update(revoked_at=timezone.now())
    assert hidden_cells(poll) == set()


def test_an_admin_keeps_or_hides(poll, client, seat) -> None:
    flag(client, seat)
    decide(ImageFlag.objects.all(), ImageFlag.Decision.KEPT)
    assert hidden_cells(poll) == set()
    decide(ImageFlag.objects.all(), ImageFlag.Decision.HIDDEN)
    assert len(hidden_cells(poll)) == 1
    Voter.objects.update(revoked_at=timezone.now())
    assert len(hidden_cells(poll)) == 1


def test_with_everything_hidden_the_poll_waits(poll) -> None:
    for sample in {cell: None for cell in Poll.objects.get().prompt_set.prompts.all()}:
        ImageFlag.objects.create(voter=Voter.objects.create(), sample=sample.samples.first())
    assert not can_be_shown(poll)


def test_the_admin_decides_and_excludes_votes_by_actions(poll, client, seat) -> None:
    client.post("/polls/duel/vote", {"ticket": Ticket.objects.get().token, "outcome": "1"})
    flag(client, seat)
    admin = Client()
    admin.force_login(User.objects.create_superuser("admin"))
    raised = ImageFlag.objects.get()

    def act(action: str) -> None:
        answer = admin.post("/admin/votes/imageflag/", {"action": action, "_selected_action": [raised.pk]})
        assert answer.status_code == 302
        raised.refresh_from_db()

    assert f"{seat.sample}" in admin.get("/admin/votes/imageflag/").content.decode()
    act("hide")
    assert raised.decision == "hidden"
    assert raised.decided_at is not None
    assert not VoteExclusion.objects.exists()
    act("exclude_its_votes")
    exclusion = VoteExclusion.objects.get()
    assert (exclusion.rule, exclusion.state) == ("flagged", "excluded")
    act("count_its_votes_again")
    assert not VoteExclusion.objects.exists()
    act("keep")
    assert raised.decision == "kept"
