import pytest
from django.contrib.admin.sites import site
from django.contrib.auth.models import User

from arena.polls import models as polls
from arena.votes import models as votes
from arena.votes.casting import cast
from arena.votes.models import Vote, VoteExclusion
from tests.arena.votes.building import ready_poll

MODELS = [
    polls.Poll, polls.Enrolment, polls.Matchup,
    votes.Voter, votes.Ticket, votes.Vote, votes.VoteExclusion, votes.VoteLog, votes.FreePrompt,
]  # fmt: skip


@pytest.fixture
def cast_vote(voter, ticket_of) -> Vote:
    return cast(ticket_of(ready_poll("duel", contestants=2), voter).token, "1", voter)


@pytest.fixture
def admin(client, cast_vote):
    client.force_login(User.objects.create_superuser("admin"))
    return client


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_lists_and_rows_open(model, admin) -> None:
    assert site.is_registered(model)
    path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    assert admin.get(path).status_code == 200
    row = model.objects.first()
    if row is not None:
        assert admin.get(f"{path}{row.pk}/change/").status_code == 200


def test_votes_are_read_only(admin, cast_vote) -> None:
    path = f"/admin/votes/vote/{cast_vote.pk}/"
    assert admin.post(f"{path}change/", {"outcome": "2"}).status_code == 403
    assert admin.post(f"{path}delete/", {"post": "yes"}).status_code == 403
    assert admin.get("/admin/votes/vote/add/").status_code == 403
    assert Vote.objects.get().outcome == "1"


def test_a_vote_is_excluded_with_a_reason_and_put_back(admin, cast_vote) -> None:
    form = {"vote": cast_vote.pk, "state": "excluded", "rule": "by-hand", "reason": "one-sided"}
    response = admin.post("/admin/votes/voteexclusion/add/", form)
    assert response.status_code == 302
    exclusion = VoteExclusion.objects.get()
    assert (exclusion.vote, exclusion.reason) == (cast_vote, "one-sided")
    admin.post(f"/admin/votes/voteexclusion/{exclusion.pk}/delete/", {"post": "yes"})
    assert not VoteExclusion.objects.exists()
    assert Vote.objects.count() == 1


def test_a_poll_is_closed_and_a_contestant_withdrawn(admin) -> None:
    poll = polls.Poll.objects.get()
    page = admin.get(f"/admin/polls/poll/{poll.pk}/change/").content.decode()
    assert "withdrawn" in page.lower()
    form = {
        "form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": str(poll.pk), "_save": "Save",
    }  # fmt: skip
    assert admin.post("/admin/polls/poll/", form).status_code == 302
    poll.refresh_from_db()
    assert not poll.is_open
