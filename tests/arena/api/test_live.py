"""Two processes of a real web server on SQLite, asked for the same at the same moment."""

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.site import TOKEN, Site, wait_for
from training.hooks import ArenaClient, ArenaRefused, Progress

PARALLEL = 6


def post(site: Site, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(site.url + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status, json.load(answer)


def test_the_same_epoch_posted_at_once_is_one_evaluation(tmp_path: Path, tiny_folder: Path) -> None:
    site = Site(tmp_path)
    site.manage("migrate", "-v0")
    site.manage("seed_polls")
    bind = ("--bind", f"127.0.0.1:{site.port}", "--workers", "2", "--threads", "3")
    own = site.manage("api_token", "create", "trainer", "--scope", "checkpoints", "--scope", "read").strip()
    with site.process("web", "gunicorn", "arena.wsgi", *bind), ThreadPoolExecutor(PARALLEL) as pool:
        wait_for("the first answer of the web server", site.healthy)
        body = {"path": str(tiny_folder)}
        answers = list(pool.map(lambda _: post(site, "/api/checkpoints", body), range(PARALLEL)))
        # A training run with a token of its own gets the same.
        trainer = ArenaClient(site.url, own)
        assert trainer.register(tiny_folder)["evaluation"] == answers[0][1]["evaluation"]
        trainer.report_progress("tiny", Progress("named", "training", 1, 4, 30, 2000))
        assert trainer.standings()["head"]["state"] == "no-votes"
        site.manage("api_token", "revoke", "trainer")
        with pytest.raises(ArenaRefused, match=r"401.*is revoked"):
            trainer.standings()
    assert sorted(status for status, _ in answers) == [200] * (PARALLEL - 1) + [201]
    assert len({told["evaluation"] for _, told in answers}) == 1
    for table in ("gallery_checkpoint", "gallery_contestant", "evaluations_evaluationrun"):
        assert site.rows(f"select count(*) from {table}") == [(1,)]
