"""Killed before any single write, to the database or to the store, an evaluation goes on to the same samples."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import connection

from arena.evaluations import lease, running
from arena.evaluations.models import EvaluationRun
from arena.gallery.models import Contestant, Prompt, PromptSet, Sample
from arena.gallery.registering import register
from arena.polls.models import Enrolment, Poll
from generation.imageio import pixel_sha256, read_archive

WRITES = ("INSERT", "UPDATE", "DELETE")
PROMPTS, SEEDS = 5, (1,)  # two batches
SAMPLES = PROMPTS * len(SEEDS)
EXPECTED_WRITES = 3 * SAMPLES  # two files and a row each, at least


class Killed(BaseException):
    """The process is gone: nothing that it would still do happens."""


class Death:
    """Counts writes, and lets none through from number `at` on; 0 lets all through."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.writes = 0

    def comes(self) -> None:
        """One more write is due."""
        self.writes += 1
        if self.at and self.writes >= self.at:
            raise Killed

    def of_statement(self, execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        """An `execute_wrapper` of Django's."""
        if sql.lstrip().upper().startswith(WRITES):
            self.comes()
        return execute(sql, *arguments)


@pytest.fixture
def contestant(tiny_folder: Path, media: Path) -> Contestant:
    prompts = PromptSet.objects.create(slug="free", title="Free", seeds=list(SEEDS))
    for number in range(PROMPTS):
        Prompt.objects.create(prompt_set=prompts, text=f"1girl, {number}")
    Poll.objects.create(kind="duel", question="?", prompt_set=prompts)
    return register(tiny_folder)[0]


def evaluate(run: EvaluationRun, death: Death, monkeypatch: pytest.MonkeyPatch) -> None:
    """Render until the end, or until death."""
    save = FileSystemStorage._save

    def dies_or_saves(storage: FileSystemStorage, name: str, content: Any) -> str:
        death.comes()
        return str(save(storage, name, content))

    with ExitStack() as stack:
        stack.enter_context(connection.execute_wrapper(death.of_statement))
        patch = stack.enter_context(monkeypatch.context())
        patch.setattr(FileSystemStorage, "_save", dies_or_saves)
        while running.advance(run.pk, seconds=0):
            pass


def begin_again() -> EvaluationRun:
    """The evaluation as it was before its first sample."""
    Sample.objects.all().delete()
    Enrolment.objects.all().delete()
    EvaluationRun.objects.all().delete()
    return running.start(Contestant.objects.get())[0]


@pytest.mark.timeout(900)
@pytest.mark.django_db(transaction=True)
def test_a_kill_before_any_write_loses_and_doubles_nothing(
    contestant: Contestant, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LOOK_SECONDS", 1e9)  # no write by the clock, so that each run has the same ones
    undisturbed = Death(0)
    evaluate(begin_again(), undisturbed, monkeypatch)
    hashes = dict(Sample.objects.values_list("blind", "pixel_sha256"))
    assert undisturbed.writes > EXPECTED_WRITES
    for at in range(1, undisturbed.writes + 1):
        run = begin_again()
        with pytest.raises(Killed):
            evaluate(run, Death(at), monkeypatch)
        lease.release_all()  # what a worker does when it starts
        evaluate(run, Death(0), monkeypatch)
        run.refresh_from_db()
        assert (run.state, run.done, run.total) == ("done", SAMPLES, SAMPLES), f"killed before write {at}"
        assert dict(Sample.objects.values_list("blind", "pixel_sha256")) == hashes
        assert Sample.objects.count() == SAMPLES
        assert Enrolment.objects.count() == 1
    on_disk = {path.relative_to(media).as_posix() for path in media.rglob("*") if path.is_file()}
    assert on_disk == {name for names in Sample.objects.values_list("archive", "blind") for name in names}
    for sample in Sample.objects.all():
        image, _ = read_archive((media / sample.archive.name).read_bytes())
        assert pixel_sha256(image) == sample.pixel_sha256
