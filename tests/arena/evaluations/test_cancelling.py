"""An evaluation can be stopped from outside, says what it cost, and goes on later without doing anything twice."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from arena.evaluations import lease, running
from arena.evaluations.models import EvaluationRun
from arena.gallery.models import Prompt, PromptSet, Sample
from arena.gallery.registering import register
from arena.polls.models import Poll

pytestmark = pytest.mark.django_db
SAMPLES = 24


@pytest.fixture
def run(tiny_folder: Path, media: Path) -> EvaluationRun:
    """A queued evaluation of 24 samples, six batches."""
    prompts = PromptSet.objects.create(slug="free", title="Free", seeds=[1, 2])
    for number in range(SAMPLES // 2):
        Prompt.objects.create(prompt_set=prompts, text=f"1girl, {number}")
    Poll.objects.create(kind="duel", question="?", prompt_set=prompts)
    return running.start(register(tiny_folder)[0])[0]


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


def finish(run: EvaluationRun) -> EvaluationRun:
    while running.advance(run.pk, seconds=60):
        pass
    run.refresh_from_db()
    return run


def test_cancelling_between_two_steps_stops_the_renderer(run: EvaluationRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.0)
    render = running.render_missing

    def cancelled_while_rendering(contestant: Any, batch: Any, *, should_stop: Any, **options: Any) -> int:
        """The second batch is cancelled from elsewhere before its second step."""
        steps = 0

        def look() -> bool:
            nonlocal steps
            steps += 1
            if Sample.objects.exists() and steps == 2:
                running.cancel(EvaluationRun.objects.get())
            return should_stop()

        return render(contestant, batch, should_stop=look, **options)

    monkeypatch.setattr(running, "render_missing", cancelled_while_rendering)
    assert not running.advance(run.pk, seconds=60)
    run.refresh_from_db()
    assert (run.state, run.done, run.heartbeat_at) == ("cancelled", 4, None)
    assert Sample.objects.count() == 4, "the batch that was stopped delivers nothing"
    assert run.finished_at is not None


def test_a_cancelled_evaluation_goes_on_only_when_asked_and_doubles_nothing(run: EvaluationRun) -> None:
    running.advance(run.pk, seconds=0)
    assert running.cancel(run)
    assert not running.cancel(run), "it has ended"
    assert not running.advance(run.pk)
    before = set(Sample.objects.values_list("pk", flat=True))
    assert running.start(run.contestant) == (run, False), "registering the epoch again"
    again, queued = running.start(run.contestant, resume=True)
    assert (queued, again.state, again.done) == (True, "queued", 4)
    assert finish(run).state == "done"
    assert before < set(Sample.objects.values_list("pk", flat=True))
    assert Sample.objects.count() == SAMPLES == Sample.objects.values("prompt", "seed").distinct().count()


def test_cancelled_during_the_last_batch_stays_cancelled(run: EvaluationRun) -> None:
    def late(now: EvaluationRun) -> None:
        if now.done == SAMPLES:
            running.cancel(EvaluationRun.objects.get())

    assert not running.advance(run.pk, seconds=60, on_progress=late)
    run.refresh_from_db()
    assert (run.state, run.done) == ("cancelled", SAMPLES)


def test_a_failure_after_the_cancellation_does_not_hide_it(run: EvaluationRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> int:
        running.cancel(EvaluationRun.objects.get())
        raise RuntimeError("out of memory")

    monkeypatch.setattr(running, "render_missing", fails)
    with pytest.raises(RuntimeError):
        running.advance(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error) == ("cancelled", "")


def test_the_lease_is_renewed_while_one_batch_renders(run: EvaluationRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.0)
    stopped = lease.stopped_for(run)
    assert not stopped()
    run.refresh_from_db()
    assert run.heartbeat_at is not None


def test_cost_adds_up_over_chunks_and_says_on_which_device(run: EvaluationRun, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(0, 1000, 5))
    clock = type("Clock", (), {"monotonic": staticmethod(lambda: float(next(ticks)))})
    assert (run.gpu_seconds, run.device, run.seconds_left) == (0.0, "", None)
    monkeypatch.setattr(lease, "time", clock)
    for batches in (1, 2):
        with lease.charged(run):
            pass
        assert EvaluationRun.objects.get().gpu_seconds == run.gpu_seconds == 5.0 * batches
    assert EvaluationRun.objects.get().device == "cpu"
    run.done, run.total = 8, SAMPLES
    assert run.seconds_left == (SAMPLES - 8) * 10.0 / 8


def test_a_real_chunk_costs_what_it_took(run: EvaluationRun) -> None:
    finish(run)
    took = (run.finished_at - run.started_at).total_seconds()
    assert 0 < run.gpu_seconds <= took + 0.1


def test_work_that_fails_is_paid_too(run: EvaluationRun) -> None:
    with pytest.raises(ZeroDivisionError), lease.charged(run):
        1 / (sum(range(100_000)) * 0)
    assert EvaluationRun.objects.get().gpu_seconds > 0


def test_the_command_cancels_and_says_the_cost(run: EvaluationRun, capsys: pytest.CaptureFixture[str]) -> None:
    running.advance(run.pk, seconds=0)
    call_command("cancel_evaluation", run.contestant.checkpoint.sha256[:8])
    assert "cancelled after 4 of 24 samples" in (out := capsys.readouterr().out)
    assert "GPU-seconds on cpu" in out
    with pytest.raises(CommandError, match="its evaluation is cancelled"):
        call_command("cancel_evaluation", run.contestant.checkpoint.name)
    with pytest.raises(CommandError, match=r"no such checkpoint\. Candidates: .*tiny"):
        call_command("cancel_evaluation", "nobody")


def test_the_command_tells_how_far_evaluations_are(run: EvaluationRun, capsys: pytest.CaptureFixture[str]) -> None:
    running.advance(run.pk, seconds=0)
    run.refresh_from_db()
    call_command("evaluations", "--json")
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["id"], row["state"], row["done"], row["total"]) == (run.pk, "running", 4, SAMPLES)
    assert (row["gpu_seconds"], row["device"]) == (round(run.gpu_seconds, 1), "cpu")
    call_command("evaluations", run.contestant.checkpoint.name, "--state", "running")
    assert run.contestant.checkpoint.name in capsys.readouterr().out
    call_command("evaluations", "--state", "done", "--json")
    assert json.loads(capsys.readouterr().out) == []
    with pytest.raises(CommandError, match="no such checkpoint"):
        call_command("evaluations", "nobody")


def test_the_page_shows_progress_and_cost_to_all_and_buttons_to_staff(client: Client, run: EvaluationRun) -> None:
    running.advance(run.pk, seconds=0)
    page = client.get(f"/evaluations/{run.pk}/").content.decode()
    assert "4 of 24" in page
    assert "GPU-seconds (cpu)" in page
    assert "Cancel this evaluation" not in page
    part = client.get(f"/evaluations/{run.pk}/part").content.decode()
    assert part.lstrip().startswith("<section")
    assert f'href="/evaluations/{run.pk}/"' in client.get("/status/").content.decode()
    assert client.get("/evaluations/999/").status_code == 404


def test_visitors_cannot_cancel(client: Client, run: EvaluationRun) -> None:
    answer = client.post(f"/evaluations/{run.pk}/cancel")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")
    assert EvaluationRun.objects.get().state == "queued"


def test_staff_cancel_and_go_on(staff: Client, run: EvaluationRun, queued: list[int]) -> None:
    assert "Cancel this evaluation" in staff.get(f"/evaluations/{run.pk}/").content.decode()
    assert staff.get(f"/evaluations/{run.pk}/cancel").status_code == 405
    page = staff.post(f"/evaluations/{run.pk}/cancel", follow=True).content.decode()
    assert EvaluationRun.objects.get().state == "cancelled"
    assert "Go on with it" in page
    staff.post(f"/evaluations/{run.pk}/resume")
    assert (EvaluationRun.objects.get().state, queued) == ("queued", [run.pk])


def test_the_admin_cancels_and_goes_on(staff: Client, run: EvaluationRun, queued: list[int]) -> None:
    address = "/admin/evaluations/evaluationrun/"
    staff.post(address, {"action": "cancel", "_selected_action": [run.pk]})
    assert EvaluationRun.objects.get().state == "cancelled"
    staff.post(address, {"action": "go_on", "_selected_action": [run.pk]})
    assert (EvaluationRun.objects.get().state, queued) == ("queued", [run.pk])
