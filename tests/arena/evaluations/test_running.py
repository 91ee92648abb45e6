"""An evaluation renders what the polls ask, in chunks, once, and enrols its contestant."""

import random
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from arena.evaluations import running
from arena.evaluations.lease import LEASE_SECONDS, BusyError
from arena.evaluations.models import EvaluationRun
from arena.gallery.models import Contestant, Prompt, PromptSet, Sample
from arena.gallery.registering import register
from arena.polls.models import Enrolment, Poll
from arena.polls.pairing import choose
from generation.checkpoint import CheckpointError
from generation.families import SD15
from generation.imageio import read_archive
from generation.tiny import write_tiny_checkpoint
from generation.verify import EXACT, verify

pytestmark = pytest.mark.django_db
KINDS = ("fixed", "duel", "ffa")


@pytest.fixture
def contestant(tiny_folder: Path, media: Path) -> Contestant:
    return register(tiny_folder)[0]


@pytest.fixture
def polls() -> list[Poll]:
    """Three polls of 2 prompts and 2 seeds: 12 jobs, three batches of the tiny recipe's 4."""
    made = []
    for kind in KINDS:
        prompts = PromptSet.objects.create(slug=kind, title=kind, seeds=[1, 2])
        for text in ("1girl, solo", "1boy, solo"):
            Prompt.objects.create(prompt_set=prompts, text=f"{text}, {kind}")
        made.append(Poll.objects.create(kind=kind, question="?", prompt_set=prompts))
    return made


def finish(run: EvaluationRun) -> EvaluationRun:
    while running.advance(run.pk, seconds=60):
        pass
    run.refresh_from_db()
    return run


def test_polls_take_turns(polls: list[Poll]) -> None:
    first = [prompt.prompt_set.slug for prompt, _ in running.jobs()[:4]]
    assert first == ["fixed", "duel", "ffa", "fixed"]
    assert len(running.jobs()) == 12


def test_volunteers_prompts_are_not_asked_of_everyone(polls: list[Poll]) -> None:
    Prompt.objects.create(prompt_set=polls[1].prompt_set, text="mine", origin=Prompt.Origin.VOLUNTEER)
    assert len(running.jobs()) == 12


def test_first_chunk_makes_every_poll_votable(contestant: Contestant, polls: list[Poll]) -> None:
    run, queued = running.start(contestant)
    assert queued
    assert running.advance(run.pk, seconds=0)
    run.refresh_from_db()
    assert (run.state, run.done, run.total, run.heartbeat_at) == ("running", 4, 12, None)
    assert set(Sample.objects.values_list("prompt__prompt_set__slug", flat=True)) == set(KINDS)
    assert set(Enrolment.objects.values_list("poll__kind", flat=True)) == set(KINDS)


def test_whole_evaluation_and_nothing_twice(contestant: Contestant, polls: list[Poll]) -> None:
    progress: list[int] = []
    run, _ = running.start(contestant)
    while running.advance(run.pk, seconds=0, on_progress=lambda now: progress.append(now.done)):
        pass
    run.refresh_from_db()
    assert progress == [4, 8, 12]
    assert (run.state, run.percent, Sample.objects.count()) == ("done", 100, 12)
    assert run.started_at < run.finished_at
    assert not running.advance(run.pk)
    assert running.start(contestant) == (run, False)
    assert Sample.objects.count() == 12


def test_a_checkpoint_of_another_family_is_evaluated_and_meets_the_others(
    contestant: Contestant, polls: list[Poll], tmp_path: Path
) -> None:
    write_tiny_checkpoint(tmp_path / "older", seed=2, run="older", family=SD15)
    older = register(tmp_path / "older")[0]
    assert [finish(running.start(one)[0]).state for one in (older, contestant)] == ["done", "done"]
    for sample in Sample.objects.filter(contestant=older):
        with sample.archive.open() as file:
            assert verify(*read_archive(file.read()), tmp_path / "older").code == EXACT
    choice = choose(polls[1], rng=random.Random(0))
    assert choice is not None
    assert {sample.contestant for sample in choice.samples} == {older, contestant}


def test_more_prompts_reopen_a_finished_evaluation(contestant: Contestant, polls: list[Poll]) -> None:
    run = finish(running.start(contestant)[0])
    Prompt.objects.create(prompt_set=polls[0].prompt_set, text="another")
    run, queued = running.start(contestant)
    assert (queued, run.state, run.done, run.total) == (True, "queued", 12, 14)
    assert finish(run).done == 14


def test_prompts_that_come_during_the_last_chunk_are_not_forgotten(contestant: Contestant, polls: list[Poll]) -> None:
    def ask_for_more(run: EvaluationRun) -> None:
        if run.done == 12:
            Prompt.objects.create(prompt_set=polls[0].prompt_set, text="late")
            assert running.start(contestant) == (run, False), "still running, so it is the running one's business"

    run, _ = running.start(contestant)
    assert running.advance(run.pk, seconds=60, on_progress=ask_for_more), "more is left"
    assert (finish(run).done, run.total, run.state) == (14, 14, "done")


def test_somebody_elses_lease_is_respected_until_it_runs_out(contestant: Contestant, polls: list[Poll]) -> None:
    run, _ = running.start(contestant)
    EvaluationRun.objects.update(heartbeat_at=timezone.now())
    with pytest.raises(BusyError):
        running.advance(run.pk)
    assert not Sample.objects.exists()
    EvaluationRun.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=LEASE_SECONDS + 1))
    assert finish(run).state == "done"


def test_failure_stands_on_the_row_and_can_be_retried(
    contestant: Contestant, polls: list[Poll], tmp_path: Path
) -> None:
    folder = contestant.checkpoint.folder
    contestant.checkpoint.folder = str(tmp_path / "gone")
    contestant.checkpoint.save()
    run, _ = running.start(contestant)
    with pytest.raises(CheckpointError):
        running.advance(run.pk)
    run.refresh_from_db()
    assert (run.state, run.heartbeat_at) == ("failed", None)
    assert "gone is not a folder" in run.error
    assert not Enrolment.objects.exists()
    contestant.checkpoint.folder = folder
    contestant.checkpoint.save()
    run, queued = running.start(contestant)
    assert (queued, run.error) == (True, "")
    assert finish(run).state == "done"


def test_cancelled_evaluation_renders_nothing(contestant: Contestant, polls: list[Poll]) -> None:
    run, _ = running.start(contestant)
    EvaluationRun.objects.update(state="cancelled")
    assert not running.advance(run.pk)
    assert not Sample.objects.exists()


def test_withdrawn_contestant_stays_withdrawn(contestant: Contestant, polls: list[Poll]) -> None:
    run = finish(running.start(contestant)[0])
    Enrolment.objects.update(withdrawn_at=timezone.now())
    running.enrol(run.contestant)
    assert not Enrolment.objects.filter(withdrawn_at=None).exists()
