"""The command line from a cold start: `python -m rating fit` on a file of 100,000 votes of 500 voters."""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.rating.ours.files import write

PACKAGES = ("numpy",)
FOLDER = tempfile.TemporaryDirectory()


def elo(votes, size):
    return _fit(votes, "elo")


def trueskill(votes, size):
    return _fit(votes, "trueskill")


def trueskill2(votes, size):
    return _fit(votes, "trueskill2")


def joint(votes, size):
    return _fit(votes, "joint")


def _fit(votes, system):
    path = Path(FOLDER.name) / "votes.csv"
    write(path, votes, 100_000)
    command = [sys.executable, "-m", "rating", "fit", str(path), "--system", system, "--format", "json"]
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
