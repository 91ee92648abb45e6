"""The command line itself, before anything was set up."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.site import ROOT, Site


@pytest.mark.parametrize("command", [("leaderboard",), ("compare", "a", "b")])
def test_a_command_before_the_first_migration_names_the_remedy(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT, env=Site(tmp_path).environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "python manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr
