"""Evaluations take turns by checkpoint: the loaded one goes on until another has waited for the age bound."""

import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from arena.evaluations import ordering, running
from arena.evaluations.models import EvaluationRun
from arena.evaluations.tasks import advance_evaluation
from arena.gallery import rendering, verifying
from arena.gallery.models import Prompt, PromptSet, Sample
from arena.gallery.registering import register
from arena.polls.models import Poll
from generation.errors import CheckpointError
from generation.tiny import write_tiny_checkpoint

pytestmark = pytest.mark.django_db


@pytest.fixture
def runs(tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch) -> list[EvaluationRun]:
    """Three queued evaluations of 16 samples, four batches each; nothing is loaded yet."""
    monkeypatch.setattr(rendering, "LOADED", rendering.LoadedRenderer())
    monkeypatch.setattr(ordering, "LOADED", rendering.LOADED)
    prompts = PromptSet.objects.create(slug="any", title="Any", seeds=[1, 2, 3, 4])
    for text in ("1girl, solo", "1boy, solo", "1girl, smile", "1boy, smile"):
        Prompt.objects.create(prompt_set=prompts, text=text)
    Poll.objects.create(kind="duel", question="?", prompt_set=prompts)
    found = []
    for epoch in (1, 2, 3):
        write_tiny_checkpoint(tmp_path / str(epoch), seed=1, epoch=epoch)
        found.append(running.start(register(tmp_path / str(epoch))[0])[0])
    return found


@pytest.fixture
def work_off(monkeypatch: pytest.MonkeyPatch, runs: list[EvaluationRun], settings) -> list[int]:
    """A worker whose queue is a list of messages; gives the contestants of the samples in the order of rendering."""
    settings.ARENA_SWAP_AGE_SECONDS = 10**6  # however long a slow machine takes, nobody has waited for too long
    monkeypatch.setattr(running, "CHUNK_SECONDS", 0.0)
    monkeypatch.setattr(running.advance, "__kwdefaults__", {"seconds": 0.0, "on_progress": None})
    messages = [run.pk for run in runs]
    monkeypatch.setattr(advance_evaluation, "delay", messages.append)
    for _ in range(100):
        if not messages:
            break
        advance_evaluation(messages.pop(0))
    assert not messages
    return list(Sample.objects.order_by("pk").values_list("contestant_id", flat=True))


def changes(order: list[int]) -> int:
    return sum(one != other for one, other in pairwise(order))


def test_the_loaded_checkpoint_goes_on_and_every_evaluation_is_finished(work_off, runs) -> None:
    assert len(work_off) == 48
    assert changes(work_off) == 2
    assert {run.state for run in EvaluationRun.objects.all()} == {"done"}


def test_the_others_get_their_turn_at_the_age_bound(runs, settings) -> None:
    settings.ARENA_SWAP_AGE_SECONDS = 60
    first, second, third = runs
    assert ordering.choose(third.pk) == first.pk, "nothing is loaded: the one that waits longest"
    running.advance(first.pk, seconds=0)
    assert rendering.LOADED.weights == first.contestant.checkpoint.sha256
    assert ordering.choose(second.pk) == first.pk
    EvaluationRun.objects.filter(pk=third.pk).update(waiting_since=timezone.now() - timedelta(seconds=61))
    assert ordering.choose(second.pk) == third.pk
    running.advance(third.pk, seconds=0)
    assert ordering.choose(second.pk) == third.pk, "now that one is loaded and has waited least"


def test_a_checkpoint_that_took_long_to_load_stays_for_a_while(runs, settings) -> None:
    settings.ARENA_SWAP_AGE_SECONDS = 5
    first, second, third = runs
    running.advance(first.pk, seconds=0)
    running.advance(second.pk, seconds=0)
    assert rendering.LOADED.swap_seconds > 0
    EvaluationRun.objects.filter(pk=third.pk).update(waiting_since=timezone.now() - timedelta(seconds=61))
    rendering.LOADED.swap_seconds = 1000.0
    assert ordering.choose(third.pk) == second.pk
    rendering.LOADED.at -= 5000
    assert ordering.choose(third.pk) == third.pk


def test_hashing_files_for_the_first_time_is_no_part_of_a_swap(runs, monkeypatch) -> None:
    clock = [0.0]
    check = rendering.sound_origin

    def long_hash(contestant):
        clock[0] += 1000
        return check(contestant)

    monkeypatch.setattr(rendering, "time", SimpleNamespace(monotonic=lambda: clock[0], time=time.time))
    monkeypatch.setattr(rendering, "sound_origin", long_hash)
    for run in runs[:2]:
        rendering.LOADED.of(run.contestant)
    assert (clock, rendering.LOADED.swap_seconds) == ([2000.0], 0.0)


def test_files_are_hashed_once_while_they_stay_as_they_are(runs, monkeypatch) -> None:
    hashed: list[Path] = []
    read = rendering.read_checkpoint
    monkeypatch.setattr(rendering, "read_checkpoint", lambda folder: hashed.append(folder) or read(folder))
    folders = [Path(run.contestant.checkpoint.folder) for run in runs[:2]]
    for run in (*runs[:2], *runs[:2]):
        rendering.LOADED.of(run.contestant)
    assert hashed == folders
    os.utime(folders[0] / "unet" / "config.json", (1, 1))
    rendering.LOADED.of(runs[0].contestant)
    assert hashed == [*folders, folders[0]]
    weights = folders[1] / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match="a file was changed"):
        rendering.LOADED.of(runs[1].contestant)


@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a")
def test_arithmetic_and_compiler_are_settings_and_stand_in_the_manifest(runs, settings) -> None:
    settings.ARENA_DTYPE, settings.ARENA_COMPILE, settings.ARENA_DEVICE_WEIGHTS_GB = "bfloat16", "eager", 0.5
    for run in runs[:2]:
        running.advance(run.pk, seconds=0)
    manifests = [sample.manifest for sample in Sample.objects.all()]
    assert {(one["dtype"], one["environment"]["compiled"]) for one in manifests} == {("bfloat16", "eager")}
    assert verifying.verify_samples(Sample.objects.all()[:1], lambda: None)[0].outcome == "exact"


def test_what_another_process_renders_is_left_to_it(runs) -> None:
    first, second, _ = runs
    EvaluationRun.objects.exclude(pk=second.pk).update(heartbeat_at=timezone.now())
    assert ordering.choose(first.pk) == second.pk
    EvaluationRun.objects.update(heartbeat_at=timezone.now())
    assert ordering.choose(first.pk) == first.pk


def test_a_failing_evaluation_does_not_lose_the_message_of_another(runs, monkeypatch) -> None:
    messages: list[int] = []
    monkeypatch.setattr(advance_evaluation, "delay", messages.append)
    first, second, _ = runs
    (Path(first.contestant.checkpoint.folder) / "checkpoint.json").unlink()
    with pytest.raises(Exception, match=r"checkpoint\.json"):
        advance_evaluation(second.pk)
    assert messages == [second.pk]
    first.refresh_from_db()
    assert first.state == "failed"


def test_one_renderer_changes_checkpoint_in_place(runs) -> None:
    renderers = {id(rendering.LOADED.of(run.contestant)) for run in runs}
    assert len(renderers) == 1
    assert rendering.LOADED.weights == runs[2].contestant.checkpoint.sha256
    renderer = rendering.LOADED.of(runs[0].contestant)
    assert renderer.info.sha256 == runs[0].contestant.checkpoint.sha256
    assert not renderer.last_swap.read, "its weights were still in memory"


def test_the_plan_shows_what_would_run_and_what_it_costs(runs) -> None:
    # One batch of 4 images is measured as 2 s, and that checkpoint has 12 images left: 3 batches.
    running.advance(runs[0].pk, seconds=0)
    EvaluationRun.objects.filter(pk=runs[0].pk).update(gpu_seconds=2.0)
    out = StringIO()
    call_command("render_plan", "--swap-seconds", "5", "--age", "1000", "--format", "json", stdout=out)
    found = json.loads(out.getvalue())
    assert [(step["images"], step["batches"]) for step in found["steps"]] == [(16, 4), (16, 4), (12, 3)]
    assert [step["seconds"] for step in found["steps"]] == [8.0, 8.0, 6.0]
    assert {step["size"] for step in found["steps"]} == {"64x64"}
    assert found["planned"]["seconds"] == 3 * 5 + 11 * 2
    assert found["planned"]["swaps"] == 3
    assert found["in_turn"]["swaps"] == 11
    assert found["in_turn"]["seconds"] == 11 * 5 + 11 * 2
    out = StringIO()
    call_command("render_plan", stdout=out)
    assert "tiny epoch 2" in out.getvalue()
    assert "planned: " in out.getvalue()
    with pytest.raises(CommandError, match="must not be negative"):
        call_command("render_plan", "--age", "-1")


def test_an_empty_plan_says_so() -> None:
    out = StringIO()
    call_command("render_plan", stdout=out)
    assert out.getvalue().strip() == "nothing waits to be rendered"


def test_the_command_is_found_under_both_spellings() -> None:
    for spelling in ("render-plan", "render_plan"):
        done = subprocess.run(
            [sys.executable, "manage.py", spelling, "--help", "--settings", "tests.settings"],
            cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "renders nothing" in done.stdout
