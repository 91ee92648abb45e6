"""Revoking a voter: the boards move by rows, the difference is printed, and it can be taken back."""

import random
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from arena.leaderboard.models import RatingRun
from arena.leaderboard.table import Row, board
from arena.votes.casting import append, cast, issue_ticket
from arena.votes.models import Vote, VoteExclusion, Voter, new_token
from arena.votes.refusals import RevokedVoter
from arena.votes.revoking import revoke, unrevoke
from arena.votes.screening import on_cast
from tests.arena.votes.building import ready_poll

pytestmark = pytest.mark.django_db


@pytest.fixture
def voters() -> list[Voter]:
    """Two voters with twelve votes each on three contestants."""
    poll = ready_poll("duel", contestants=3, prompts=4)
    made = [Voter.objects.create(), Voter.objects.create()]
    rng = random.Random(4)
    for voter in made:
        for _ in range(12):
            cast(issue_ticket(poll, voter, rng).token, rng.choice("12"), voter)
    return made


def rows() -> list[Row]:
    return board("trueskill").rows


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("revoke_voter", *arguments, stdout=out)
    return out.getvalue()


def test_every_vote_gets_a_row_and_the_boards_are_those_without_the_voter(voters) -> None:
    both = rows()
    assert revoke(voters[0], "a bot") == 12
    alone = rows()
    assert alone != both
    assert {row.votes for row in alone} == {8}
    assert board("trueskill").head.excluded == 12
    assert set(VoteExclusion.objects.values_list("rule", "state", "reason")) == {("revoked", "excluded", "a bot")}
    assert unrevoke(voters[0]) == 12
    assert rows() == both


def test_rows_that_were_there_before_stay_what_they_are(voters) -> None:
    first = Vote.objects.get(number=1)
    VoteExclusion.objects.create(vote=first, rule="too-fast", reason="too fast")
    assert revoke(voters[0], "a bot") == 11
    assert unrevoke(voters[0]) == 11
    assert VoteExclusion.objects.get().rule == "too-fast"


def test_a_revoked_voter_gets_and_answers_nothing_and_a_vote_that_arrives_all_the_same_is_excluded(voters) -> None:
    poll = Vote.objects.first().ticket.matchup.poll
    other = Voter.objects.create()
    ticket = issue_ticket(poll, other, random.Random(1))
    revoke(other, "a bot")
    with pytest.raises(RevokedVoter, match="a bot"):
        issue_ticket(poll, other, random.Random(1))
    with pytest.raises(RevokedVoter):
        append(ticket, "1", "")
    assert not Vote.objects.filter(ticket=ticket).exists()
    arrived = Vote.objects.create(number=25, ticket=ticket, outcome="1")
    on_cast(arrived, Voter.objects.get(pk=other.pk))
    assert arrived.exclusion.rule == "revoked"


def test_the_command_prints_what_moves(voters) -> None:
    before = {row.contestant: row for row in rows()}
    text = command(str(voters[0].pk), "--reason", "a bot")
    after = {row.contestant: row for row in rows()}
    assert f"12 of 12 votes of voter {voters[0].pk} leave the boards." in text
    for name, row in after.items():
        old = before[name]
        for title in ("duel", "all polls"):
            assert (
                f"{title}: {name}: rank {old.rank}, {old.value:.2f}, 16 votes → "
                f"rank {row.rank}, {row.value:.2f}, 8 votes"
            ) in text
    voters[0].refresh_from_db()
    assert voters[0].revoked_reason == "a bot"
    assert "12 of 12 votes" in command(voters[0].key, "--undo")
    assert {row.contestant: row for row in rows()} == before


def test_keys_are_no_options_and_those_of_old_that_look_like_one_go_after_two_dashes(voters) -> None:
    assert all(set(new_token()) <= set("0123456789abcdef") for _ in range(99))
    Voter.objects.filter(pk=voters[0].pk).update(key="-VZm3kXA5y1o6Qpt9Wc_b4Rd")
    assert "12 of 12 votes" in command("--reason", "a bot", "--", "-VZm3kXA5y1o6Qpt9Wc_b4Rd")


def test_a_dry_run_changes_nothing(voters) -> None:
    rows()
    before = list(RatingRun.objects.order_by("pk").values())
    assert "nothing was changed" in command(str(voters[0].pk), "--reason", "a bot", "--dry-run")
    assert list(RatingRun.objects.order_by("pk").values()) == before
    assert not VoteExclusion.objects.exists()
    voters[0].refresh_from_db()
    assert voters[0].revoked_at is None


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["9999", "--reason", "x"], "no voter '9999'"),
        (["9" * 40, "--reason", "x"], "no voter"),
        (["nobody", "--reason", "x"], "no voter 'nobody'"),
        (["{pk}"], "say why"),
        (["{pk}", "--reason", " "], "say why"),
        (["{pk}", "--undo"], "is not revoked"),
    ],
)
def test_what_makes_no_sense_is_refused(voters, arguments: list[str], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        command(*(argument.format(pk=voters[0].pk) for argument in arguments))
    assert not VoteExclusion.objects.exists()


def test_twice_is_refused(voters) -> None:
    command(str(voters[0].pk), "--reason", "a bot")
    with pytest.raises(CommandError, match="revoked already: a bot"):
        command(str(voters[0].pk), "--reason", "again")


def test_the_admin_revokes_and_takes_back_by_actions(voters) -> None:
    admin = Client()
    admin.force_login(User.objects.create_superuser("admin"))

    def act(action: str) -> None:
        answer = admin.post("/admin/votes/voter/", {"action": action, "_selected_action": [voters[0].pk]})
        assert answer.status_code == 302

    act("revoke_voters")
    assert VoteExclusion.objects.filter(rule="revoked").count() == 12
    page = admin.get("/admin/votes/voter/").content.decode()
    assert "12" in page
    assert voters[0].key not in page
    act("count_voters_again")
    assert not VoteExclusion.objects.exists()
