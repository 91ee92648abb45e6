"""The client against a real HTTP server on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from training.errors import UserError
from training.hooks import ArenaClient, ArenaHook, ArenaRefused, ArenaUnreachable, Progress, format_standings

PROGRESS = Progress(
    "named", "training", 1, 4, 10, 400, loss=0.5, images_per_s=100.0, eta_s=62.5, raw_loss=0.2, data_wait=0.1, mfu=0.4
)
USUAL = object()


class Arena(ThreadingHTTPServer):
    """Answers as told and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses: list[int] = []  # of the next answers; 200 afterwards
        self.answer: Any = USUAL
        self.asked: list[tuple[str, str, Any, str | None]] = []
        self.ids = count(7)  # of the next contestants
        self.rows: list[dict[str, Any]] = []  # of the board

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One request: note it, answer with the next status."""

    server: Arena

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body: Any) -> None:
        self.server.asked.append((self.command, self.path, body, self.headers.get("Authorization")))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        told = self.server.answer
        if told is USUAL and body is None:
            told = {"rows": self.server.rows}
        elif told is USUAL:
            told = {"id": next(self.server.ids) if status == 200 else 0, "url": "/c/7"}
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def arena() -> Iterator[Arena]:
    with Arena() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    for name in ("epoch-01", "epoch-02"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "checkpoint.json").write_text(json.dumps({"sha256": name}))
    return tmp_path


def test_registration_sends_folder_checkpoint_and_token(arena: Arena, run_folder: Path) -> None:
    answer = ArenaClient(arena.url, "secret").register(run_folder / "epoch-01")
    assert answer["id"] == 7
    body = {"path": str(run_folder / "epoch-01"), "checkpoint": {"sha256": "epoch-01"}}
    assert arena.asked == [("POST", "/api/checkpoints", body, "Bearer secret")]


def test_progress_goes_to_the_run(arena: Arena) -> None:
    ArenaClient(arena.url).report_progress("named-12 ab", PROGRESS)
    method, path, body, token = arena.asked[0]
    assert (method, path, token) == ("POST", "/api/runs/named-12%20ab/progress", None)
    assert body == {"preset": "named", "state": "training", "epoch": 1, "epochs": 4, "step": 10, "total_steps": 400,
                    "loss": 0.5, "images_per_s": 100.0, "eta_s": 62.5, "message": ""}  # fmt: skip


def test_standings_ask_for_metric_and_poll(arena: Arena) -> None:
    ArenaClient(arena.url).standings("elo", poll="ffa")
    assert arena.asked[0][1] == "/api/leaderboard?metric=elo&population=people&poll=ffa"


def test_a_failing_arena_is_asked_again_after_growing_pauses(arena: Arena, run_folder: Path) -> None:
    arena.statuses = [503, 500, 429]
    pauses: list[float] = []
    assert ArenaClient(arena.url, sleep=pauses.append).register(run_folder / "epoch-01")["id"] == 7
    assert len(arena.asked) == 4
    assert pauses == [1.0, 2.0, 4.0]


def test_a_refusal_is_not_repeated(arena: Arena, run_folder: Path) -> None:
    arena.statuses = [401]
    with pytest.raises(ArenaRefused, match="answered 401"):
        ArenaClient(arena.url).register(run_folder / "epoch-01")
    assert len(arena.asked) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"title": "Unauthorized", "status": 401, "detail": "no token was sent"}, "no token was sent"),
        ({"title": "Unauthorized"}, '{"title": "Unauthorized"}'),
        (["a proxy", "x" * 9000], '["a proxy", "' + "x" * 287),
    ],
    ids=["problem", "other object", "no object"],
)
def test_a_refusal_is_told_by_its_sentence(arena: Arena, answer: Any, said: str) -> None:
    arena.statuses, arena.answer = [401], answer
    with pytest.raises(ArenaRefused) as caught:
        ArenaClient(arena.url).standings()
    assert str(caught.value).endswith(f"answered 401: {said}")


def test_an_absent_arena_is_unreachable(run_folder: Path) -> None:
    with Arena() as gone:
        url = gone.url
    with pytest.raises(ArenaUnreachable, match="POST"):
        ArenaClient(url, pauses=()).register(run_folder / "epoch-01")


def test_an_address_without_scheme_is_refused() -> None:
    with pytest.raises(UserError, match="'localhost:8000' must start with http://"):
        ArenaClient("localhost:8000")


def sent(arena: Arena) -> list[str]:
    return [body["checkpoint"]["sha256"] for _, _, body, _ in arena.asked]


def test_what_was_not_delivered_is_sent_first_next_time_and_once_only(arena: Arena, run_folder: Path) -> None:
    said: list[str] = []
    hook = ArenaHook(ArenaClient(arena.url, pauses=()), "run", run_folder, said.append)
    arena.statuses = [503]
    hook.register()
    assert hook.waiting() == ["epoch-01", "epoch-02"]
    assert "will be sent again" in said[0]
    later = ArenaHook(ArenaClient(arena.url, pauses=()), "run", run_folder, said.append)
    later.register()
    later.register()
    assert sent(arena) == ["epoch-01", "epoch-01", "epoch-02"]
    assert later.waiting() == []


def test_a_checkpoint_that_was_written_before_a_kill_is_sent_after_it(arena: Arena, run_folder: Path) -> None:
    """Nothing but the folder itself tells that it is to be sent; a folder that is half written is not."""
    ArenaHook(ArenaClient(arena.url), "run", run_folder, print).register()
    for name in ("epoch-03", "epoch-04.partial"):
        (run_folder / name).mkdir()
        (run_folder / name / "checkpoint.json").write_text(json.dumps({"sha256": name}))
    ArenaHook(ArenaClient(arena.url), "run", run_folder, print).register()
    assert sent(arena) == ["epoch-01", "epoch-02", "epoch-03"]


def test_another_arena_gets_every_epoch(arena: Arena, run_folder: Path) -> None:
    ArenaHook(ArenaClient(arena.url), "run", run_folder, print).register()
    other = f"http://localhost:{arena.server_address[1]}"
    assert ArenaHook(ArenaClient(other), "run", run_folder, print).waiting() == ["epoch-01", "epoch-02"]


@pytest.mark.parametrize("answer", [None, [], "hello", {"ok": True}, {"id": "7"}, {"id": None}, {"id": True}])
def test_an_answer_that_no_arena_gives_ends_no_training(arena: Arena, run_folder: Path, answer: Any) -> None:
    said: list[str] = []
    hook = ArenaHook(ArenaClient(arena.url), "run", run_folder, said.append)
    arena.answer = answer
    hook.register()
    assert hook.standings() is None
    told = f"answered {json.dumps(answer)}, as no arena does: is the address right"
    assert len(said) == 2
    assert f"epoch-01 not registered, will be sent again: {arena.url}/api/checkpoints {told}" in said[0]
    assert f"no standings: {arena.url} {told}" in said[1]
    assert hook.waiting() == ["epoch-01", "epoch-02"]
    arena.answer = USUAL
    hook.register()
    assert hook.waiting() == []


@pytest.mark.parametrize("rows", [None, [None], [{}], {"a": 1}])
def test_a_board_without_rows_as_an_arena_has_them_is_none(arena: Arena, run_folder: Path, rows: Any) -> None:
    said: list[str] = []
    arena.answer = {"rows": rows}
    assert ArenaHook(ArenaClient(arena.url), "run", run_folder, said.append).standings() is None
    assert "as no arena does" in said[0]


def test_a_refused_checkpoint_does_not_block_the_next_and_is_tried_again(arena: Arena, run_folder: Path) -> None:
    said: list[str] = []
    hook = ArenaHook(ArenaClient(arena.url), "run", run_folder, said.append)
    arena.statuses = [422]
    hook.register()
    assert "refused by the arena" in said[0]
    assert hook.waiting() == ["epoch-01"]
    hook.register()
    assert sent(arena) == ["epoch-01", "epoch-02", "epoch-01"]


def test_lost_progress_is_said_once_and_never_raises(arena: Arena, run_folder: Path) -> None:
    said: list[str] = []
    hook = ArenaHook(ArenaClient(arena.url), "run", run_folder, said.append)
    arena.statuses = [500, 500, 200, 500]
    for _ in range(4):
        hook.progress(PROGRESS)
    assert len(said) == 2


def test_no_standings_is_none(arena: Arena, run_folder: Path) -> None:
    said: list[str] = []
    arena.statuses = [404]
    assert ArenaHook(ArenaClient(arena.url), "run", run_folder, said.append).standings() is None
    assert "no standings" in said[0]


def test_standings_are_printed_with_and_without_votes() -> None:
    rows = [
        {"rank": 1, "contestant": "base", "value": 25.123, "votes": 3},
        {"rank": None, "contestant": "epoch 1", "value": None, "votes": 0},
    ]
    assert format_standings(rows).splitlines() == [
        "standings:",
        "   1  base  25.12  3 votes",
        "   -  epoch 1  -  0 votes",
    ]
    assert format_standings(None) == "no standings yet"
