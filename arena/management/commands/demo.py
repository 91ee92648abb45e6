"""manage.py demo: the whole loop on one machine, started, watched and stopped by one command (docs/demo.md)."""

import os
import signal
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console

from arena.celery import app
from arena.evaluations.lease import unfinished
from arena.evaluations.models import EvaluationRun
from arena.evaluations.running import start
from arena.evaluations.seeding import DatasetError, seed
from arena.evaluations.status import DEMO_FILE, snapshot
from arena.evaluations.tasks import enqueue
from arena.gallery.models import Checkpoint, Contestant
from arena.gallery.registering import ConflictError, register
from arena.management import preflight
from arena.management.children import STOPPING, Child, Children, end_leftovers
from arena.management.journal import Journal
from generation.checkpoint import CheckpointError

PRESET = "named-adventurers"
ANSWER_SECONDS = 60
LOOK_SECONDS = 0.5
INTERRUPTED = 130
# The page answers first, a picture comes next, training takes what is left.
NICE = {"worker": 5, "train": 10, "voters": 10}


class Command(BaseCommand):
    help = "Open the arena with the base and its earlier checkpoints, fine-tune in the background. Ctrl-C stops all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="port of the web server (default 8000)")
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
        parser.add_argument("--home", type=Path, help="folder for everything it writes (default ARENA_HOME, or var)")
        parser.add_argument("--epochs", type=int, help="epochs to fine-tune, instead of the preset's")
        parser.add_argument("--no-train", action="store_true", help="open the arena without fine-tuning")
        parser.add_argument("--simulate-voters", type=int, default=0, metavar="N", help="N marked, separate voters")
        parser.add_argument("--exit-when-trained", action="store_true", help="stop once every epoch is in the polls")

    def handle(self, *, home: Path | None, **options: Any) -> None:
        if home is not None and home.resolve() != settings.HOME:
            _start_again_in(home.resolve())
        if options["epochs"] is not None and options["epochs"] < 1:
            raise CommandError(f"--epochs must be 1 or more, not {options['epochs']}")
        if options["simulate_voters"] < 0:
            raise CommandError(f"--simulate-voters must not be negative, not {options['simulate_voters']}")
        for number in STOPPING:
            # nohup has the end of the terminal ignored, and that stays.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _interrupt)
        try:
            Demo(options).run()
        except KeyboardInterrupt:
            self.stdout.write("\nstopped; the same command goes on from here")
            sys.exit(INTERRUPTED)


class Demo:
    """One run of the demo, from the checks to the last child's end."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._home: Path = settings.HOME
        self._console = Console()
        self._url = f"http://{_reachable(options['host'])}:{options['port']}"
        self._journal = Journal(self._home / DEMO_FILE, self._console, _started())
        self._waiting = {"duel": "free-prompt duel", "ffa": "free-for-all", "fixed": "fixed-characteristics poll"}
        self._seen: set[int] = set()

    def run(self) -> None:
        """Check, start, watch; whatever happens, no child is left behind."""
        host, port = self._options["host"], self._options["port"]
        with preflight.only_one(self._home):
            if left := end_leftovers(self._home / "logs"):
                self._console.print(f"ended what a killed demo had left running: {', '.join(left)}")
            preflight.check(self._home, host, port)
            with Children(settings.BASE_DIR, self._home / "logs", self._environment()) as children:
                self._open_page(children)
                self._open_polls(children)
                self._watch(children, self._start_training(children))

    def _environment(self) -> dict[str, str]:
        """The children's environment: the same home and token, and the listening address as an allowed host."""
        hosts = ",".join([*settings.ALLOWED_HOSTS, self._options["host"]])
        return {
            **os.environ,
            "ARENA_HOME": str(self._home),
            "ARENA_API_TOKEN": settings.ARENA_API_TOKEN,
            "ARENA_ALLOWED_HOSTS": os.environ.get("ARENA_ALLOWED_HOSTS", hosts),
            "PYTHONUNBUFFERED": "1",
            # A thread that waits for its fellows gives its core away, where it would spin by default.
            "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "passive"),
        }

    def _open_page(self, children: Children) -> None:
        with self._journal.step("database"):
            call_command("migrate", verbosity=0)
            seed(None)
            # One process makes the queue's tables; two at once would collide on a fresh file.
            with app.connection_for_write() as connection:
                connection.default_channel.queue_declare(settings.CELERY_TASK_DEFAULT_QUEUE)
        with self._journal.step("web server"):
            bind = f"{self._options['host']}:{self._options['port']}"
            settings_file = ("-c", "python:arena.serving")
            children.start("web", sys.executable, "-m", "gunicorn", *settings_file, "--bind", bind, "arena.wsgi")
            self._await_answer(children)
        self._journal.mark("page up")
        self._console.print(f"\n  Vote at [link]{self._url}/[/link]   watch at [link]{self._url}/status/[/link]\n")

    def _await_answer(self, children: Children) -> None:
        deadline = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline:
            children.check()
            try:
                with urllib.request.urlopen(f"{self._url}/api/health", timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        raise CommandError(
            f"the web server does not answer at {self._url}: look into {self._home / 'logs' / 'web.log'}"
        )

    def _open_polls(self, children: Children) -> None:
        """Base first, as the free polls need no data set; then the characters."""
        base = self._home / "base"
        with self._journal.step("the base and its earlier checkpoints"):
            children.run("base", sys.executable, "-m", "training", "base", "unpack", "--out", str(base))
            _register_all(base)
            worker = ("--pool", "solo", "--loglevel", "info", "--without-gossip", "--without-mingle")
            children.start(
                "worker", sys.executable, "-m", "celery", "-A", "arena", "worker", *worker, nice=NICE["worker"]
            )
        dataset = self._home / "dataset"
        if not (dataset / "dataset.json").exists():
            with self._journal.step("data set"):
                command = (sys.executable, "-m", "training", "dataset", "demo", "--out", str(dataset))
                children.run("dataset", *command, meanwhile=self._tell_votable)
        with self._journal.step("named characters"):
            try:
                seed(dataset)
            except DatasetError as error:
                raise CommandError(str(error)) from error
            _evaluate_all()

    def _start_training(self, children: Children) -> Child | None:
        count = self._options["simulate_voters"]
        if count:
            voters = ("simulate_voters", "--count", str(count), "--forever", "--pause", "1")
            children.start("voters", sys.executable, "manage.py", *voters, nice=NICE["voters"])
        self._seen = set(_epochs())
        if self._options["no_train"]:
            return None
        epochs = ("--epochs", str(self._options["epochs"])) if self._options["epochs"] else ()
        data = ("--data", str(self._prepared(children)), "--out", str(self._home / "runs" / PRESET))
        # One core stays with the renderer and the page: threads that wait for a taken core cost more than they bring.
        threads = ("--threads", str(max(1, (os.cpu_count() or 1) - 1)))
        command = (sys.executable, "-m", "training", "train", PRESET, "--arena", self._url, *threads, *data, *epochs)
        return children.start("train", *command, nice=NICE["train"])

    def _prepared(self, children: Children) -> Path:
        """The data set as it is trained on, made if it is not there."""
        out = self._home / "prepared"
        if not (out / "dataset.json").exists():
            with self._journal.step("prepared data set"):
                source = (str(self._home / "dataset"), "--config", "demo", "--workers", "1")
                command = (sys.executable, "-m", "training", "prepare", *source, "--out", str(out))
                children.run("prepare", *command, meanwhile=self._tell_votable)
        return out

    def _watch(self, children: Children, training: Child | None) -> None:
        """Tell what happens until Ctrl-C, or until everything is in the polls if that was asked for."""
        begun = last = time.time()  # of the fine-tuning
        complete = False
        with self._console.status("") as line:
            while not (complete and self._options["exit_when_trained"]):
                time.sleep(LOOK_SECONDS)
                if training is None:
                    children.check()
                elif not children.alive(training):
                    training = None
                    self._tell_epochs(last)
                    self._journal.mark("all epochs", since=begun)
                last = self._tell_epochs(last)
                self._tell_votable()
                if training is None and not complete and not unfinished().exists():
                    complete = True
                    self._tell_complete()
                line.update(_summary())

    def _tell_complete(self) -> None:
        self._journal.mark("every image of every checkpoint")
        for run in EvaluationRun.objects.filter(state=EvaluationRun.State.FAILED):
            self._console.print(f"[red]the evaluation of {run.contestant} failed[/red]: {run.error}")
        self._console.print(self._journal.table())
        self._console.print("The arena stays open until Ctrl-C." if not self._options["exit_when_trained"] else "")

    def _tell_votable(self) -> None:
        if not self._waiting:
            return
        for poll in snapshot(timezone.now())["polls"]:
            if poll["votable"] and poll["kind"] in self._waiting:
                self._journal.mark(f"first matchup of the {self._waiting.pop(poll['kind'])}")

    def _tell_epochs(self, last: float) -> float:
        """Note the epochs that arrived; returns when the last one did."""
        for pk, epoch in _epochs().items():
            if pk not in self._seen:
                self._seen.add(pk)
                loading = ", loading included" if len(self._seen) == 1 else ""
                last = self._journal.mark(f"epoch {epoch}{loading}", since=last)
        return last


def _start_again_in(home: Path) -> NoReturn:
    """Settings are read once, so another home needs a fresh process."""
    home.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "ARENA_HOME": str(home)})


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM, and a terminal that is closed, end the demo the way Ctrl-C does."""
    raise KeyboardInterrupt


def _started() -> float:
    """When `make demo` began, installation included; now, if nobody says."""
    try:
        return float(os.environ["ARENA_DEMO_STARTED"])
    except (KeyError, ValueError):
        return time.time()


def _reachable(host: str) -> str:
    return "127.0.0.1" if host == "0.0.0.0" else host


def _register_all(base: Path) -> None:
    """Register the base's checkpoints and queue their evaluations."""
    try:
        for file in sorted(base.glob("*/checkpoint.json")):
            register(file.parent)
    except ConflictError as error:
        raise CommandError(f"{error}; or start afresh with --home DIR") from error
    except CheckpointError as error:
        raise CommandError(str(error)) from error
    _evaluate_all()


def _evaluate_all() -> None:
    for contestant in Contestant.objects.all():
        run, queued = start(contestant)
        if queued:
            enqueue(run.pk)


def _epochs() -> dict[int, int]:
    """Epoch by primary key of the fine-tuning's checkpoints."""
    found = Checkpoint.objects.filter(run__preset=PRESET).order_by("epoch")
    return dict(found.values_list("pk", "epoch"))


def _summary() -> str:
    """One line: training, images, votes."""
    now = snapshot(timezone.now())
    parts = []
    for run in now["runs"][:1]:
        left = f", {run['time_left']} left" if run["time_left"] else ""
        parts.append(f"epoch {run['epoch']} of {run['epochs']}, {run['percent']} %{left}")
    done, total = (sum(e[key] for e in now["evaluations"]) for key in ("done", "total"))
    parts.append(f"images {done} of {total}")
    simulated = f", {now['votes']['simulated']} simulated" if now["votes"]["simulated"] else ""
    parts.append(f"votes {now['votes']['people']}{simulated}")
    return " · ".join(parts)
