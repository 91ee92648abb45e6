"""`python -m rating` as a process: its output, its exit code, Ctrl-C, what it loads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rating.command import rows, written

ROOT = Path(__file__).resolve().parents[2]


def test_it_is_a_program_of_its_own(file: Path) -> None:
    command = [sys.executable, "-m", "rating", "fit", str(file), "--format", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == rows("fit", file)


def test_votes_may_come_through_the_standard_input(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "votes.csv"
    link.symlink_to("/dev/stdin")
    command = f"cat {file} | {sys.executable} -m rating fit {link} --format json"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == rows("fit", file)


@pytest.mark.parametrize("format", ["table", "json"])
@pytest.mark.parametrize("output", ["&-", "/dev/full"])
def test_without_an_output_there_is_a_reason_and_no_traceback(output: str, format: str, file: Path) -> None:
    command = f"{sys.executable} -m rating fit {file} --format {format} >{output}"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_names_that_the_output_cannot_show_leave_it_empty(tmp_path: Path) -> None:
    path = written(tmp_path / "votes.csv", "a|\N{ROCKET},1", "a|\N{ROCKET},2")
    command = [sys.executable, "-m", "rating", "fit", str(path), "--format", "json"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHONIOENCODING": "ascii"}, timeout=120
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: ascii cannot show '\\U0001f680'; set PYTHONUTF8=1\n"


@pytest.mark.parametrize("module", ["argparse", "rating.cli_fit", "numpy", "rating.joint"])
@pytest.mark.parametrize("then", ["raise", "raise ImportError"])
def test_ctrl_c_stops_without_a_traceback(module: str, then: str, file: Path, tmp_path: Path) -> None:
    # Ctrl-C while the module is imported; numpy's extension modules make an ImportError of that.
    (tmp_path / "sitecustomize.py").write_text(
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            try: signal.raise_signal(signal.SIGINT)\n"
        f"            except KeyboardInterrupt: {then}\n"
        "sys.meta_path.insert(0, Interrupted())\n"
    )
    command = [sys.executable, "-m", "rating", "fit", str(file)]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


def test_the_usual_path_loads_neither_scipy_nor_numba_nor_torch(file: Path) -> None:
    script = (
        "import sys; from rating.cli import main;"
        "systems = ('elo', 'trueskill', 'joint');"
        f"[main(['fit', {str(file)!r}, '--system', system, '--format', 'csv']) for system in systems];"
        "print({'scipy', 'numba', 'torch', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": "."}
    )
    assert done.stdout.splitlines()[-1] == "set()", done.stderr
