"""The command lines started by a Python that has none of the packages: who forgot the environment is told so."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "command",
    [
        ("manage.py", "leaderboard"),
        ("-m", "rating", "fit", "votes.csv"),
        ("-m", "generation", "inspect", "folder"),
        ("-m", "training", "prepare", "posts.parquet", "--out", "set"),
    ],
    ids=["arena", "rating", "generation", "training"],
)
def test_a_python_without_the_packages_is_told_how_to_get_them(command: tuple[str, ...]) -> None:
    # -S leaves out the packages of the environment.
    done = subprocess.run([sys.executable, "-S", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"is not installed for {sys.executable}. Remedy: make install, then source .venv/bin/activate" in done.stderr
