"""The command lines started by a Python that has none of the packages, and how `make demo` ends."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from generation.errors import GenerationError
from generation.origin_cli import load
from rating.cli import main as rating_main
from training.cli import main as training_main

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


@pytest.mark.parametrize(
    "command",
    [("rating", "fit", "votes.csv"), ("generation", "inspect", "folder"), ("training", "report", "run")],
    ids=["rating", "generation", "training"],
)
@pytest.mark.parametrize("name", [None, "own"])
def test_an_import_that_fails_otherwise_shows_where(command: tuple[str, ...], name: str | None, tmp_path: Path) -> None:
    own = None if name is None else f"{command[0]}.gone"
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Broken:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('numpy', 'safetensors'):\n"
        f"            raise ModuleNotFoundError('nothing here', name={own!r})\n"
        "sys.meta_path.insert(0, Broken())\n"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    assert done.stderr.endswith("ModuleNotFoundError: nothing here\n")
    assert "Remedy" not in done.stderr


@pytest.mark.parametrize(
    ("command", "runs", "main"),
    [
        (["fit", "votes.csv"], "rating.cli_fit.run", rating_main),
        (["report", "run"], "training.report_cli.main", training_main),
    ],
    ids=["rating", "training"],
)
def test_what_is_missing_while_a_command_runs_is_no_forgotten_environment(
    command: list[str], runs: str, main: Callable[[list[str]], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(_: object) -> int:
        raise ModuleNotFoundError("No module named 'plug_in'", name="plug_in")

    monkeypatch.setattr(runs, late)
    with pytest.raises(ModuleNotFoundError, match="plug_in"):
        main(command)


def test_a_command_of_generation_names_the_package_that_it_lacks() -> None:
    with pytest.raises(GenerationError, match=r"rich\.gone is not installed for .*Remedy: make install"):
        load("rich.gone.render")
    with pytest.raises(ModuleNotFoundError):
        load("generation.gone.render")


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
