"""The command lines started by a Python that has none of the packages, and how `make demo` ends."""

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


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (130, 0), (1, 2)], ids=["done", "Ctrl-C", "failed"])
def test_ctrl_c_is_no_error_of_make_demo(tmp_path: Path, code: int, ends: int) -> None:
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text(f'#!/bin/sh\n[ "$*" = "manage.py demo --port 8001 --no-train" ] && exit {code}\nexit 99\n')
    python.chmod(0o755)
    # The stamp of an installation: newer than what it depends on.
    (tmp_path / ".demo").touch()
    command = ["make", "demo", f"VENV={tmp_path}", "PORT=8001", "ARGS=--no-train"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == ends
    assert ("Error" in done.stderr) == (code == 1)
