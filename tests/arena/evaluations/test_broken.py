"""One broken image does not fail an evaluation: it is missing by name, never shown, and rendered again on request."""

import shutil
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from arena.evaluations import ordering, running
from arena.evaluations.models import EvaluationRun
from arena.gallery.models import Contestant, Prompt, PromptSet, Sample
from arena.gallery.registering import register
from arena.polls.models import Enrolment, Poll
from generation.tiny import write_tiny_checkpoint
from tests.broken import break_word

pytestmark = pytest.mark.django_db
BROKEN = ("1girl, smile", 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint that gives NaN for every prompt with the word "smile"."""
    write_tiny_checkpoint(tmp_path / "breaking", seed=1, epoch=1)
    break_word(tmp_path / "breaking", "smile")
    return tmp_path / "breaking"


@pytest.fixture
def contestant(folder: Path, media: Path) -> Contestant:
    return register(folder)[0]


@pytest.fixture
def poll() -> Poll:
    """Five images, one of them impossible."""
    prompts = PromptSet.objects.create(slug="duel", title="duel", seeds=[2])
    for text in ("1girl, solo", BROKEN[0], "1boy, solo", "1girl, blue hair", "1girl, red eyes"):
        Prompt.objects.create(prompt_set=prompts, text=text)
    return Poll.objects.create(kind="duel", question="?", prompt_set=prompts)


def finish(run: EvaluationRun) -> EvaluationRun:
    while running.advance(run.pk, seconds=0):
        pass
    run.refresh_from_db()
    return run


def shown() -> set[str]:
    return set(Sample.objects.values_list("prompt__text", flat=True))


def test_it_ends_incomplete_and_names_what_is_missing(contestant: Contestant, poll: Poll, media: Path) -> None:
    run = finish(running.start(contestant)[0])
    assert (run.state, run.done, run.total) == ("incomplete", 4, 5)
    assert "seed 2, prompt '1girl, smile': the image has NaN or infinite pixels" in run.error
    prompt = Prompt.objects.get(text=BROKEN[0])
    assert [(one["prompt"], one["seed"]) for one in run.broken] == [(prompt.pk, 2)]
    assert BROKEN[0] not in shown()
    assert len(list(media.rglob("*.png"))) == 8, "an archive and a blind copy of each of the four"
    assert Enrolment.objects.get().contestant == contestant, "the others can be voted on"


def test_registering_again_does_not_break_it_again_and_asking_does(contestant: Contestant, poll: Poll) -> None:
    run = finish(running.start(contestant)[0])
    assert running.start(contestant) == (run, False)
    assert ordering.waiting_work() == []
    again, queued = running.start(contestant, resume=True)
    assert (queued, again.broken, again.error) == (True, [], "")
    assert finish(run).state == "incomplete", "the weights are still what they were"


def test_more_prompts_are_rendered_without_the_broken_one(contestant: Contestant, poll: Poll) -> None:
    run = finish(running.start(contestant)[0])
    Prompt.objects.create(prompt_set=poll.prompt_set, text="1boy, black hair")
    run, queued = running.start(contestant)
    assert (queued, len(ordering.waiting_work()[0].key) > 0) == (True, True)
    assert ordering.waiting_work()[0].images == 1
    run = finish(run)
    assert (run.state, run.done, run.total, len(run.broken)) == ("incomplete", 5, 6, 1)


def test_once_the_reason_is_gone_the_image_is_rendered(
    contestant: Contestant, poll: Poll, folder: Path, tmp_path: Path
) -> None:
    run = finish(running.start(contestant)[0])
    shutil.rmtree(folder)
    sound = write_tiny_checkpoint(folder, seed=1, epoch=1)
    contestant.checkpoint.sha256 = sound.sha256
    contestant.checkpoint.save()
    call_command("evaluate", str(folder))
    run.refresh_from_db()
    assert (run.state, run.done, run.error, run.broken) == ("done", 5, "", [])
    assert BROKEN[0] in shown()


def test_the_command_fails_by_name_and_the_api_tells(
    contestant: Contestant, poll: Poll, folder: Path, client: Client
) -> None:
    with pytest.raises(CommandError, match=r"broken \(1\): seed 2, prompt '1girl, smile'"):
        call_command("evaluate", str(folder))
    run = EvaluationRun.objects.get()
    page = client.get(f"/evaluations/{run.pk}/").content.decode()
    assert "incomplete" in page
    assert "1girl, smile" in page


def test_a_checkpoint_that_breaks_everywhere_takes_part_nowhere(media: Path, poll: Poll, tmp_path: Path) -> None:
    write_tiny_checkpoint(tmp_path / "all", seed=2, epoch=1)
    for word in ("girl", "boy"):
        break_word(tmp_path / "all", word)
    run = finish(running.start(register(tmp_path / "all")[0])[0])
    assert (run.state, run.done, len(run.broken)) == ("incomplete", 0, 5)
    assert not Enrolment.objects.exists()
    assert "; and" not in run.error
