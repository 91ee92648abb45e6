"""The resident peak of a process that reads ten million votes and fits them; as a program, that process."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rating.elo import EloSystem
from rating.joint import fit_joint
from rating.votefile import read_votes
from tests.benchmarks.rating.ours.files import write

PACKAGES = ("numpy",)
VOTES = 10_000_000
FOLDER = tempfile.TemporaryDirectory()


def elo(votes, size):
    return _peak(votes, "elo")


def joint(votes, size):
    return _peak(votes, "joint")


def _peak(votes, system):
    path = Path(FOLDER.name) / "votes.csv"
    write(path, votes, VOTES)

    def work():
        child = subprocess.Popen([sys.executable, "-m", __name__, str(path), system])
        _, status, usage = os.wait4(child.pid, 0)
        if status:
            raise RuntimeError(f"reading and fitting {system} failed")
        return usage.ru_maxrss / 1024.0

    return work


def main(path: str, system: str) -> None:
    votes = read_votes(Path(path))
    if system == "elo":
        EloSystem().fold(EloSystem().start(), votes)
    else:
        fit_joint(votes)


if __name__ == "__main__":
    main(*sys.argv[1:])
