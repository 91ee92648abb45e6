"""Long work says how far it is, and only to a terminal: the standard output holds the result alone."""

import csv
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from rating.fitting import FitOptions, System, rate
from rating.system import PORTION
from rating.votefile import read_votes
from tests.rating.command import SYSTEMS

ROOT = Path(__file__).resolve().parents[2]


def in_a_terminal(*arguments: object) -> tuple[str, str]:
    """The standard output, which is a pipe, and what the terminal on the error output shows."""
    reading, writing = pty.openpty()
    command = [sys.executable, "-m", "rating", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=writing, text=True)
    os.close(writing)
    shown = bytearray()
    try:
        while piece := os.read(reading, 1 << 16):
            shown += piece
    except OSError:  # Linux's way of saying that the other end is closed
        pass
    os.close(reading)
    assert done.returncode == 0, shown
    return done.stdout, shown.decode()


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_bar_is_on_the_terminal_and_not_in_the_output(system: str, file: Path) -> None:
    output, shown = in_a_terminal("fit", file, "--system", system, "--format", "csv")
    assert len(list(csv.DictReader(output.splitlines()))) == 6
    assert output.startswith("contestant,value,")
    for step in (f"reading {file.name}", f"fitting {system}", "ranking"):
        assert step in shown


@pytest.mark.parametrize(
    ("command", "step"),
    [
        (("compare",), "comparing pairs"),
        (("order", "--permutations", 3), "rating in other orders"),
        (("next", "--system", "elo"), "resampling votes"),
        (("simulate", "--repeats", 2), "rating simulated votes"),
    ],
)
def test_every_command_shows_its_longest_step(command: tuple[object, ...], step: str, file: Path) -> None:
    output, shown = in_a_terminal(command[0], file, *command[1:], "--format", "json")
    assert output.startswith("[\n")
    assert json.loads(output)
    assert step in shown


@pytest.mark.parametrize(
    ("options", "step"),
    [
        (FitOptions("elo"), "resampling votes"),
        (FitOptions("trueskill"), "rating votes"),
        (FitOptions("joint", bootstrap=50), "resampling"),
        (FitOptions("trueskill2"), "fitting the prior"),
    ],
)
def test_steps_are_told_to_their_end_and_change_nothing(options: FitOptions, step: str, file: Path) -> None:
    votes = read_votes(file)
    told: list[tuple[str, int, int]] = []
    found = rate(votes, options, lambda *report: told.append(report))
    assert found == rate(votes, options)
    counted = [(done, total) for name, done, total in told if name == step]
    assert counted
    assert [done for done, _ in counted] == sorted(done for done, _ in counted)
    if step != "fitting the prior":  # nobody knows how many fits that takes
        assert counted[-1][0] == counted[-1][1]


@pytest.mark.parametrize("system", ["elo", "trueskill"])
def test_a_long_log_is_told_in_portions(system: System, file: Path) -> None:
    votes = read_votes(file)
    long = votes.take(votes.seats[:, 0].argsort(kind="stable").repeat(PORTION // len(votes) + 2))
    told: list[int] = []
    rate(long, FitOptions(system), lambda step, done, _: told.append(done) if step == "rating votes" else None)
    assert PORTION in told
    assert told[-1] > PORTION
