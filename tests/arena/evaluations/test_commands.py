"""register_checkpoint and evaluate on the command line."""

from functools import partial
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from arena.evaluations import running
from arena.evaluations.models import EvaluationRun
from arena.gallery.models import Checkpoint, Contestant, Prompt, PromptSet, Sample
from arena.polls.models import Poll
from generation.tiny import write_tiny_checkpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_prompts(media: Path) -> None:
    prompts = PromptSet.objects.create(slug="free", title="Free", seeds=[1])
    for text in ("1girl, solo", "1boy, solo"):
        Prompt.objects.create(prompt_set=prompts, text=text)
    Poll.objects.create(kind="duel", question="?", prompt_set=prompts)


def test_evaluate_a_folder_renders_here(
    two_prompts: None, tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("evaluate", str(tiny_folder))
    assert "2 of 2 samples" in capsys.readouterr().out
    assert Sample.objects.count() == 2
    assert EvaluationRun.objects.get().state == "done"


def test_evaluate_finds_a_checkpoint_by_name_and_by_hash(two_prompts: None, tiny_folder: Path) -> None:
    call_command("register_checkpoint", str(tiny_folder), "--no-evaluate")
    assert not EvaluationRun.objects.exists()
    checkpoint = Contestant.objects.get().checkpoint
    call_command("evaluate", checkpoint.name)
    call_command("evaluate", checkpoint.sha256[:8].upper())
    assert Sample.objects.count() == 2
    for digits in (1, 3):  # a mistyped name is not taken for a hash
        with pytest.raises(CommandError, match="no such checkpoint"):
            call_command("evaluate", checkpoint.sha256[:digits])


def test_unknown_and_ambiguous_checkpoints_are_refused(two_prompts: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"no such checkpoint\. Candidates: none; or name a checkpoint's folder"):
        call_command("evaluate", "nothing")
    with pytest.raises(CommandError, match=f"there is no folder {tmp_path}/my-run/epoch-3"):
        call_command("evaluate", f"{tmp_path}/my-run/epoch-3")
    for epoch in (1, 2):
        write_tiny_checkpoint(tmp_path / str(epoch), seed=1, epoch=epoch)
        call_command("register_checkpoint", str(tmp_path / str(epoch)), "--no-evaluate")
    Checkpoint.objects.update(name="the base")
    with pytest.raises(CommandError, match="several checkpoints fit"):
        call_command("evaluate", "the base")


def test_register_says_what_it_did_and_queues_once(
    two_prompts: None, tiny_folder: Path, capsys: pytest.CaptureFixture[str], queued: list[int]
) -> None:
    call_command("register_checkpoint", str(tiny_folder))
    assert "registered" in capsys.readouterr().out
    call_command("register_checkpoint", str(tiny_folder))
    assert "known already" in capsys.readouterr().out
    assert queued == [EvaluationRun.objects.get().pk]


def test_broken_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"lacks checkpoint\.json"):
        call_command("register_checkpoint", str(tmp_path))
    with pytest.raises(CommandError, match="not a folder"):
        call_command("register_checkpoint", str(tmp_path / "gone"))


def test_cancelled_elsewhere_is_an_error(two_prompts: None, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call_command("register_checkpoint", str(tiny_folder), "--no-evaluate")
    monkeypatch.setattr(
        "arena.evaluations.running.enrol", lambda contestant: EvaluationRun.objects.update(state="cancelled")
    )
    monkeypatch.setattr("arena.evaluations.running.advance", partial(running.advance, seconds=0))
    Prompt.objects.bulk_create(Prompt(prompt_set=PromptSet.objects.get(), text=f"1girl, {n}") for n in range(8))
    with pytest.raises(CommandError, match="is cancelled"):
        call_command("evaluate", str(tiny_folder))


def test_queue_hands_it_to_the_worker(two_prompts: None, tiny_folder: Path, queued: list[int]) -> None:
    call_command("evaluate", str(tiny_folder), "--queue")
    assert queued == [EvaluationRun.objects.get().pk]
    assert not Sample.objects.exists()


def test_new_prompts_are_queued_for_contestants_already_there(
    two_prompts: None, tiny_folder: Path, queued: list[int]
) -> None:
    call_command("evaluate", str(tiny_folder))
    call_command("seed_polls")
    assert queued == [EvaluationRun.objects.get().pk]
    assert EvaluationRun.objects.get().total == (2 + 20) * 1 + 12 * 2


def test_lease_of_a_worker_is_waited_for(two_prompts: None, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call_command("register_checkpoint", str(tiny_folder))
    EvaluationRun.objects.update(heartbeat_at=timezone.now())
    waits: list[float] = []

    def worker_finishes(seconds: float) -> None:
        waits.append(seconds)
        EvaluationRun.objects.update(heartbeat_at=None)

    monkeypatch.setattr("arena.management.commands.evaluate.time.sleep", worker_finishes)
    call_command("evaluate", str(tiny_folder))
    assert len(waits) == 1
    assert EvaluationRun.objects.get().state == "done"
