"""The resident peak of `python -m rating fit` on a file of ten million votes."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.rating.ours.files import write

PACKAGES = ("numpy",)
VOTES = 10_000_000
FOLDER = tempfile.TemporaryDirectory()


def elo(votes, size):
    return _peak(votes, "elo")


def trueskill(votes, size):
    return _peak(votes, "trueskill")


def trueskill2(votes, size):
    return _peak(votes, "trueskill2")


def joint(votes, size):
    return _peak(votes, "joint")


def _peak(votes, system):
    path = Path(FOLDER.name) / "votes.csv"
    write(path, votes, VOTES)
    command = [sys.executable, "-m", "rating", "fit", str(path), "--system", system, "--format", "json"]

    def work():
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        if status:
            raise RuntimeError(f"python -m rating fit --system {system} failed")
        return usage.ru_maxrss / 1024.0

    return work
