import logging
import random
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from arena.gallery.models import Contestant, Prompt, Sample
from arena.gallery.registering import register
from arena.polls.models import Poll
from arena.votes import free_prompts
from arena.votes.casting import cast, issue_ticket
from arena.votes.hygiene import clean
from arena.votes.models import FreePrompt, Voter
from arena.votes.refusals import NoPromptsHere, PromptRefused, StillRendering
from arena.votes.tasks import render_free_prompt, resume_free_prompts
from generation.tiny import write_tiny_checkpoint
from tests.arena.votes.building import enrol, make_contestant, make_poll, ready_poll

pytestmark = pytest.mark.django_db
RENDERERS = "tests.arena.votes.rendering."


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two untrained checkpoints of one run; read only."""
    folders = [tmp_path_factory.mktemp("free-prompts") / f"tiny-{epoch}" for epoch in (1, 2)]
    for epoch, folder in enumerate(folders, 1):
        write_tiny_checkpoint(folder, seed=1, epoch=epoch)
    return folders


@pytest.fixture
def contestants(tiny_folders: list[Path]) -> list[Contestant]:
    return [register(folder)[0] for folder in tiny_folders]


@pytest.fixture
def poll(contestants: list[Contestant]) -> Poll:
    """A duel of two contestants that can really render."""
    poll = make_poll("duel", prompts=0)
    enrol(poll, *contestants)
    return poll


def take(poll: Poll, voter: Voter, text: str = "1girl, solo, smile") -> FreePrompt:
    return free_prompts.take(poll, voter, text, random.Random(1))


def make_old(free: FreePrompt, seconds: float) -> None:
    FreePrompt.objects.filter(pk=free.pk).update(created_at=timezone.now() - timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("1girl, smile", "1girl, smile"),
        ("  1girl,\n\t smile  ", "1girl, smile"),
        ("1girl,long_hair,^_^,", "1girl, long hair, ^_^"),
        ("a" * 300, "a" * 300),
        ("女の子、笑顔", "女の子、笑顔"),
        ("<b>bold</b>", "<b>bold</b>"),
        ("sussex, essex, sexton, grape, explicitly", "sussex, essex, sexton, grape, explicitly"),
    ],
)
def test_prompts_are_trimmed_and_kept(typed: str, kept: str) -> None:
    assert clean(typed, Poll()) == kept


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        (" , ,", "empty"),
        ("a" * 301, "301 characters; at most 300"),
        ("a" * 10_000, "10,000 characters"),
        ("1girl\x00", "not text"),
        ("\x1b[31m1girl", "not text"),
        ("1girl, NSFW", "“nsfw” is not drawn here: this poll shows General images only"),
        ("rating:explicit", "“explicit”"),
        ("1girl, rating_questionable", "“questionable”"),
        ("sensitive", "“sensitive”"),
    ],
)
def test_prompts_that_are_not_rendered_say_why(typed: str, words: str) -> None:
    with pytest.raises(PromptRefused, match=words):
        clean(typed, Poll())


def test_the_least_shown_contestants_render_a_fresh_seed(voter) -> None:
    poll = ready_poll("duel", contestants=4, prompts=1)
    often = list(poll.enrolments.values_list("pk", flat=True))[:2]
    poll.enrolments.filter(pk__in=often).update(appearances=9)
    free = take(poll, voter, "  1girl,   smile ")
    assert free.state == "queued"
    assert free.prompt.text == "1girl, smile"
    assert free.prompt.origin == "volunteer"
    assert free.prompt.prompt_set == poll.prompt_set
    assert free.seed not in poll.prompt_set.seeds
    rare = set(poll.enrolments.filter(appearances=0).values_list("contestant_id", flat=True))
    assert set(free.contestants.values_list("pk", flat=True)) == rare


def test_a_prompt_of_the_pool_is_not_doubled(voter) -> None:
    poll = ready_poll("duel", contestants=2, prompts=1)
    known = poll.prompt_set.prompts.get()
    assert take(poll, voter, known.text).prompt == known
    assert known.origin == "set"
    assert Prompt.objects.count() == 1


def test_one_unfinished_prompt_a_voter(voter) -> None:
    poll = ready_poll("duel", contestants=2, prompts=1)
    first = take(poll, voter)
    with pytest.raises(StillRendering, match=r"at most \d+ s more") as refused:
        take(poll, voter, "another")
    assert refused.value.link == f"/prompts/{first.token}/"
    take(poll, Voter.objects.create(), "another")
    assert free_prompts.cancel(first)
    take(poll, voter, "another")


def test_a_prompt_out_of_time_does_not_block_the_next(voter, settings) -> None:
    poll = ready_poll("duel", contestants=2, prompts=1)
    first = take(poll, voter)
    make_old(first, settings.ARENA_FREE_PROMPT_BUDGET_SECONDS + 1)
    take(poll, voter, "another")
    first.refresh_from_db()
    assert (first.state, first.error) == ("failed", free_prompts.OUT_OF_TIME)


def test_only_free_polls_with_enough_contestants_take_prompts(voter) -> None:
    with pytest.raises(NoPromptsHere, match="its own prompts only"):
        take(ready_poll("fixed", contestants=2), voter)
    ffa = make_poll("ffa")
    enrol(ffa, *(make_contestant(epoch) for epoch in (1, 2, 3)), rendered=False)
    with pytest.raises(NoPromptsHere, match="closed or has too few"):
        take(ffa, voter)
    closed = ready_poll("duel", contestants=2)
    closed.is_open = False
    closed.save()
    with pytest.raises(NoPromptsHere, match="closed or has too few"):
        take(closed, voter)
    assert not FreePrompt.objects.exists()


def test_a_rendered_prompt_becomes_the_next_matchup_and_joins_the_pool(poll, voter) -> None:
    free = take(poll, voter)
    render_free_prompt(free.token)
    free.refresh_from_db()
    assert (free.state, free.rendered, free.error) == ("ready", 2, "")
    ticket = issue_ticket(poll, voter, random.Random(1))
    assert ticket == free.ticket
    assert ticket.matchup.rule == free_prompts.RULE
    assert set(ticket.matchup.seats.values_list("sample__prompt", "sample__seed")) == {(free.prompt.pk, free.seed)}
    cast(ticket.token, "1", voter)
    assert issue_ticket(poll, voter, random.Random(1)) is None
    pooled = issue_ticket(poll, Voter.objects.create(), random.Random(1))
    assert pooled.matchup.prompt == free.prompt


def test_it_is_shown_before_an_older_open_matchup(poll, voter) -> None:
    first = take(poll, Voter.objects.create())
    free_prompts.render(first.token, random.Random(1))
    waiting = issue_ticket(poll, voter, random.Random(1))
    free = take(poll, voter, "1boy, solo")
    free_prompts.render(free.token, random.Random(1))
    ticket = issue_ticket(poll, voter, random.Random(1))
    assert ticket.matchup.prompt.text == "1boy, solo"
    cast(ticket.token, "1", voter)
    assert issue_ticket(poll, voter, random.Random(1)) == waiting


def test_the_same_message_twice_renders_once(poll, voter) -> None:
    free = take(poll, voter)
    render_free_prompt(free.token)
    render_free_prompt(free.token)
    render_free_prompt("no-such-token")
    assert Sample.objects.count() == 2
    assert poll.matchups.count() == 1


def test_a_killed_worker_is_followed_by_one_that_finishes(poll, voter, settings) -> None:
    free = take(poll, voter)
    settings.ARENA_RENDERER = RENDERERS + "Killed"
    with pytest.raises(SystemExit):
        render_free_prompt(free.token)
    free.refresh_from_db()
    assert free.state == "rendering"
    assert free_prompts.resume_unfinished() == [free.token]
    settings.ARENA_RENDERER = "generation.renderer.Renderer"
    render_free_prompt(free.token)
    free.refresh_from_db()
    assert free.state == "ready"
    assert Sample.objects.count() == 2


def test_a_starting_worker_takes_up_what_was_left(poll, voter, monkeypatch) -> None:
    take(poll, voter)
    monkeypatch.setitem(render_free_prompt.app.conf, "task_always_eager", True)
    resume_free_prompts()
    assert FreePrompt.objects.get().state == "ready"


def test_a_cancelled_prompt_is_not_rendered(poll, voter) -> None:
    free = take(poll, voter)
    assert free_prompts.cancel(free)
    render_free_prompt(free.token)
    assert FreePrompt.objects.get().state == "cancelled"
    assert not Sample.objects.exists()
    assert not free_prompts.cancel(free)
    assert free_prompts.resume_unfinished() == []


def test_cancelling_stops_the_renderer_between_two_steps(poll, voter, settings) -> None:
    settings.ARENA_RENDERER = RENDERERS + "CancelledMeanwhile"
    render_free_prompt(take(poll, voter).token)
    assert FreePrompt.objects.get().state == "cancelled"
    assert not Sample.objects.exists()
    assert not poll.matchups.exists()


def test_a_spent_budget_fails_honestly(poll, voter, settings) -> None:
    free = take(poll, voter)
    make_old(free, settings.ARENA_FREE_PROMPT_BUDGET_SECONDS + 1)
    render_free_prompt(free.token)
    free.refresh_from_db()
    assert (free.state, free.error) == ("failed", free_prompts.OUT_OF_TIME)
    assert not Sample.objects.exists()


def test_a_failure_is_told_without_naming_the_checkpoint(voter, tmp_path, caplog) -> None:
    folders = [tmp_path / f"gone-{epoch}" for epoch in (1, 2)]
    for epoch, folder in enumerate(folders, 1):
        write_tiny_checkpoint(folder, seed=2, epoch=epoch)
    poll = make_poll("duel", prompts=0)
    enrol(poll, *(register(folder)[0] for folder in folders))
    shutil.rmtree(folders[0])
    shutil.rmtree(folders[1])
    free = take(poll, voter)
    with caplog.at_level(logging.ERROR):
        render_free_prompt(free.token)
    free.refresh_from_db()
    assert (free.state, free.error) == ("failed", free_prompts.RENDERER_FAILED)
    assert "gone-" in caplog.text
    assert "gone-" not in free.error
    assert not poll.matchups.exists()
