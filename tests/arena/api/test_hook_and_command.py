"""A training run's hook and `manage.py evaluate` are two doors to the same rows: whichever comes first."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from generation.tiny import write_tiny_checkpoint
from tests.site import TOKEN, Site
from training.hooks import ArenaClient, ArenaHook

TWO_PROMPTS = """
import django
django.setup()
from tests.arena.votes.building import make_poll
make_poll("duel", prompts=2)
"""
TABLES = ("gallery_run", "gallery_checkpoint", "gallery_contestant", "evaluations_evaluationrun", "gallery_sample")


def counts(site: Site) -> dict[str, int]:
    with closing(sqlite3.connect(site.home / "arena.sqlite3")) as database:
        return {table: database.execute(f"select count(*) from {table}").fetchone()[0] for table in TABLES}


@pytest.mark.parametrize("first", ["hook", "command"])
def test_the_same_epoch_by_hook_and_by_command_is_evaluated_once(first: str, tmp_path: Path) -> None:
    site = Site(tmp_path / "arena")
    site.manage("migrate", "-v0")
    site.command("-c", TWO_PROMPTS)
    folder = tmp_path / "run" / "epoch-01"
    sha256 = write_tiny_checkpoint(folder, seed=1, epoch=1, run="tiny").sha256
    said: list[str] = []
    hook = ArenaHook(ArenaClient(site.url, TOKEN), "tiny", folder.parent, said.append)
    with site.serving():
        if first == "hook":
            hook.register()
        told = site.manage("evaluate", str(folder))
        assert "2 of 2 samples" in told
        hook.register()
        again = ArenaClient(site.url, TOKEN).register(folder)
        done = site.get(f"/api/evaluations/{again['evaluation']}")
        rows = hook.standings()
    assert (again["created"], done["state"], done["done"], done["total"]) == (False, "done", 2, 2)
    assert counts(site) == dict.fromkeys(TABLES[:4], 1) | {"gallery_sample": 2}
    assert json.loads((folder.parent / "arena.json").read_text()) == {site.url: {"epoch-01": again["id"]}}
    assert rows is not None
    assert [(row["epoch"], row["checkpoint"]) for row in rows] == [(1, sha256[:12])]
    assert len(said) == 1
