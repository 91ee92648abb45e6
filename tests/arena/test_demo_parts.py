"""The demo's checks, children and journal, each on the real thing."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from django.core.management import CommandError, call_command
from rich.console import Console

from arena.management import preflight
from arena.management.children import Children, end_leftovers
from arena.management.journal import Journal

# Starts a child of its own, tells its number, and neither of them minds SIGTERM.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def children(tmp_path: Path) -> Children:
    return Children(tmp_path, tmp_path / "logs", os.environ)


def until(look: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


# Listens on a port of its choice and tells it.
LISTENER = """
import socket, time
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    time.sleep(600)
"""


def test_taken_port_is_named_with_who_has_it_and_a_free_one() -> None:
    with subprocess.Popen([sys.executable, "-c", LISTENER], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        port = int(other.stdout.readline())
        try:
            with pytest.raises(CommandError) as caught:
                preflight.check_port("127.0.0.1", port)
        finally:
            other.kill()
    free = re.fullmatch(
        rf"(?s)port {port} is taken by process {other.pid} \(`{re.escape(sys.executable)} -c .*`\): "
        rf"end it with `kill {other.pid}`, or choose another port with `make demo PORT=(\d+)`",
        str(caught.value),
    )
    assert free, caught.value
    assert int(free[1]) > port
    preflight.check_port("127.0.0.1", int(free[1]))
    preflight.check_port("127.0.0.1", port)


def test_a_port_of_somebody_unseen_is_still_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "PROCESSES", Path("/nowhere"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=rf"port {port} is taken by a program .*`sudo lsof -i :{port}`"):
            preflight.check_port("127.0.0.1", port)


@pytest.mark.parametrize(("host", "port"), [("no.such.host.invalid", 8000), ("127.0.0.1", 70000)])
def test_impossible_address_is_refused(host: str, port: int) -> None:
    with pytest.raises(CommandError, match=r"cannot listen on .*\(.+\): give a port from 1024"):
        preflight.check_port(host, port)


def test_full_disk_old_python_and_absent_packages_are_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"MiB free under .* --home DIR"):
        preflight.check_space(tmp_path, 1 << 62)
    with pytest.raises(CommandError, match=r"Python 3\.11 or newer is needed, this is 3\.10"):
        preflight.check_python((3, 10))
    with pytest.raises(CommandError, match="no_such_package not installed: run `make install`"):
        preflight.check_packages(("json", "no_such_package"))
    preflight.check_packages(preflight.NEEDED_PACKAGES)


def test_second_demo_in_the_same_home_is_refused(tmp_path: Path) -> None:
    with (
        preflight.only_one(tmp_path),
        pytest.raises(CommandError, match=rf"already runs in .*process {os.getpid()}.*`kill {os.getpid()}`"),
        preflight.only_one(tmp_path),
    ):
        pass
    with preflight.only_one(tmp_path):
        pass


def test_leaving_ends_every_child_and_what_it_started(children: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arena.management.children.PATIENCE_SECONDS", 0.5)
    with children:
        child = children.start("stubborn", sys.executable, "-c", STUBBORN)
        until(lambda: child.log.read_text().strip())
        grandchild = int(child.log.read_text())
        assert not gone(grandchild)
    assert child.process.poll() == -signal.SIGKILL
    until(lambda: gone(grandchild))


# A demo that starts what its argument says, tells its number, and waits to be killed.
KILLED = """
import os, sys, time
from pathlib import Path
from arena.management.children import Children, end_leftovers
home = Path(sys.argv[1])
with Children(home, home / "logs", os.environ) as children:
    children.start("web", sys.executable, "-c", sys.argv[2])
    children.start("done", sys.executable, "-c", "pass").process.wait()
    print("started", flush=True)
    time.sleep(600)
"""


def kill_a_demo(home: Path, child: str) -> None:
    """Start a demo whose child `web` runs this program, and kill it without any notice."""
    command = [sys.executable, "-c", KILLED, str(home), child]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE) as demo:
        assert demo.stdout
        demo.stdout.readline()
        demo.kill()


@pytest.mark.parametrize("child", ["import time; time.sleep(600)", STUBBORN], ids=["gentle", "stubborn"])
def test_the_next_run_ends_what_a_killed_demo_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, child: str) -> None:
    monkeypatch.setattr("arena.management.children.PATIENCE_SECONDS", 0.5)
    kill_a_demo(tmp_path, child)
    left = int((tmp_path / "logs" / "web.pid").read_text())
    assert not gone(left)
    assert end_leftovers(tmp_path / "logs") == ["web"]
    until(lambda: gone(left))
    assert end_leftovers(tmp_path / "logs") == []


def test_a_number_that_somebody_else_has_by_now_is_left_alone(children: Children, tmp_path: Path) -> None:
    with children:
        children.run("web", sys.executable, "-c", "pass")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as innocent:
        (tmp_path / "logs" / "web.pid").write_text(str(innocent.pid))
        assert end_leftovers(tmp_path / "logs") == []
        assert innocent.poll() is None


def test_a_child_of_unknown_number_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arena.management.children.PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr("arena.management.children.KILLED_SECONDS", 0.1)
    kill_a_demo(tmp_path, "import time; time.sleep(600)")
    number = tmp_path / "logs" / "web.pid"
    left = number.read_text()
    number.unlink()
    with pytest.raises(CommandError, match="left web running"):
        end_leftovers(tmp_path / "logs")
    number.write_text(left)
    assert end_leftovers(tmp_path / "logs") == ["web"]


def test_a_child_that_dies_is_named_with_the_end_of_its_log(children: Children) -> None:
    with children:
        children.start("web", sys.executable, "-c", "print('port on fire'); raise SystemExit(3)")
        with pytest.raises(CommandError, match=r"(?s)web ended with exit status 3.*logs/web\.log.*port on fire"):
            until(children.check)


def test_a_step_ends_with_its_command_and_fails_with_it(children: Children, tmp_path: Path) -> None:
    with children:
        children.run("fine", sys.executable, "-c", "open('made', 'w').write('yes')")
        assert (tmp_path / "made").read_text() == "yes"
        children.check()
        with pytest.raises(CommandError, match="broken ended with exit status 1"):
            children.run("broken", sys.executable, "-c", "1 / 0")


def test_a_step_does_not_outlive_the_death_of_another_child(children: Children) -> None:
    with children:
        children.start("web", sys.executable, "-c", "raise SystemExit(7)")
        with pytest.raises(CommandError, match="web ended with exit status 7"):
            children.run("long", sys.executable, "-c", "import time; time.sleep(600)")


def test_journal_times_steps_and_moments(tmp_path: Path) -> None:
    now = iter([100.0, 130.0, 131.0, 200.0])
    output = io.StringIO()
    journal = Journal(tmp_path / "demo.json", Console(file=output, width=100), started=10.0, clock=lambda: next(now))
    with journal.step("data set"):
        assert json.loads((tmp_path / "demo.json").read_text())["steps"][0]["state"] == "running"
    assert journal.mark("page up") == 131.0
    journal.mark("epoch 1", since=131.0)
    assert json.loads((tmp_path / "demo.json").read_text()) == {
        "steps": [{"title": "data set", "state": "done", "took": "30 s"}],
        "times": [{"title": "page up", "took": "2 min 1 s"}, {"title": "epoch 1", "took": "1 min 9 s"}],
    }
    assert "data set (30 s)" in output.getvalue()
    assert "page up after 2 min 1 s" in output.getvalue()


def test_journal_keeps_what_failed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "demo.json", Console(file=io.StringIO()), started=0.0, clock=lambda: 5.0)
    with pytest.raises(OSError, match="no space"), journal.step("data set"):
        raise OSError("no space")
    assert json.loads((tmp_path / "demo.json").read_text())["steps"][0]["state"] == "failed"


@pytest.mark.parametrize(("option", "value"), [("epochs", 0), ("epochs", -1), ("simulate_voters", -1)])
def test_senseless_numbers_are_refused_before_anything_starts(option: str, value: int) -> None:
    with pytest.raises(CommandError, match=f"--{option.replace('_', '-')} must"):
        call_command("demo", **{option: value})


def test_taken_port_ends_the_command_with_1(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "manage.py", "demo", "--port", port, "--home", str(tmp_path)],
            cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "arena.settings"},
        )  # fmt: skip
    assert done.returncode == 1
    assert f"port {port} is taken by process {os.getpid()} " in done.stderr
    assert not (tmp_path / "arena.sqlite3").exists()
