"""Runs `python -m rating` in this process, and writes small vote files for it."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from rating.cli import main

SYSTEMS = ["elo", "trueskill", "trueskill2", "joint"]


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def rating(*arguments: object) -> Done:
    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(str(stop.code))
    return Done(code, out.getvalue(), errors.getvalue())


def rows(*arguments: object, says: str = "") -> list[dict]:
    done = rating(*arguments, "--format", "json")
    assert (done.returncode, done.stderr[: len(says) or None]) == (0, says)
    return json.loads(done.stdout)


def written(path: Path, *votes: str) -> Path:
    lines = (f"{at},2026-01-01T00:00:00Z,fixed,p,v{at},{vote}" for at, vote in enumerate(votes))
    path.write_text("\n".join(["vote,created_at,poll,prompt,voter,seats,outcome", *lines]) + "\n")
    return path
