"""The training run's line to the arena: plain HTTP from the standard library; the arena may be away at any time."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from generation.files import write_json
from training.errors import UserError

TIMEOUT = 10.0  # seconds of waiting for one answer
REGISTER_TIMEOUT = 120.0  # before it answers, the arena reads and hashes the whole folder: 7 GB for a real SDXL
PROGRESS_TIMEOUT = 2.0  # progress is worth less than training time
PAUSES = (1.0, 2.0, 4.0)  # seconds before the second, third and fourth try
UNSENT = "unsent.json"


class ArenaUnreachable(Exception):
    """The arena did not answer, or answered that it is failing: worth another try later."""


class ArenaRefused(Exception):
    """The arena understood and said no (4xx): the same request will not do better later."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands, as the arena's status page shows it. ``state``: training, done, failed or stopped."""

    preset: str
    state: str
    epoch: int
    epochs: int
    step: int
    total_steps: int
    loss: float | None = None
    images_per_s: float | None = None
    eta_s: float | None = None
    message: str = ""


class ArenaClient:
    """Speaks the arena's API at ``url`` with a bearer ``token``."""

    def __init__(
        self, url: str, token: str = "", pauses: Sequence[float] = PAUSES, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise UserError(f"arena address {url!r} must start with http:// or https://")
        self.url = url.rstrip("/")
        self._token = token
        self._pauses = pauses
        self._sleep = sleep

    def report_progress(self, run: str, progress: Progress) -> None:
        """Tell the arena where ``run`` stands: one try. Raises ArenaUnreachable or ArenaRefused."""
        self._once("POST", f"/api/runs/{urllib.parse.quote(run)}/progress", asdict(progress), PROGRESS_TIMEOUT)

    def register(self, folder: Path) -> dict[str, Any]:
        """Make a checkpoint folder a contestant; the arena answers the same for one that it knows.

        Returns ``{"id", "created", "evaluation", "url"}``. Raises ArenaUnreachable after all tries, or ArenaRefused.
        """
        checkpoint = json.loads((folder / "checkpoint.json").read_text("utf-8"))
        body = {"path": str(folder.resolve()), "checkpoint": checkpoint}
        return self._patiently("POST", "/api/checkpoints", body, REGISTER_TIMEOUT)

    def standings(self, metric: str = "trueskill", poll: str | None = None) -> Any:
        """The board as JSON. Raises ArenaUnreachable after all tries, or ArenaRefused."""
        query = {"metric": metric, "format": "json"} | ({"poll": poll} if poll else {})
        return self._patiently("GET", f"/api/leaderboard?{urllib.parse.urlencode(query)}", None)

    def _patiently(self, method: str, path: str, body: Mapping[str, Any] | None, timeout: float = TIMEOUT) -> Any:
        for pause in self._pauses:
            try:
                return self._once(method, path, body, timeout)
            except ArenaUnreachable:
                self._sleep(pause)
        return self._once(method, path, body, timeout)

    def _once(self, method: str, path: str, body: Mapping[str, Any] | None, timeout: float) -> Any:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise _verdict(error) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ArenaUnreachable(f"{method} {self.url}{path}: {error}") from error


def _verdict(error: urllib.error.HTTPError) -> Exception:
    """429 and 5xx may pass; any other refusal stays."""
    with error:
        said = error.read(300).decode(errors="replace").strip()
    message = f"{error.url} answered {error.code}: {said}"
    return ArenaUnreachable(message) if error.code >= 500 or error.code == 429 else ArenaRefused(message)


class ArenaHook:
    """What a run tells the arena, and hears back; whatever fails is said once and never stops the training."""

    def __init__(self, client: ArenaClient, run: str, folder: Path, say: Callable[[str], None]) -> None:
        self._client = client
        self._run = run
        self._unsent_file = folder / UNSENT
        self._folder = folder
        self._say = say
        self._silent = False

    def progress(self, progress: Progress) -> None:
        """Report where the run stands; a failure is said once until the next success."""
        try:
            self._client.report_progress(self._run, progress)
            self._silent = False
        except (ArenaUnreachable, ArenaRefused) as error:
            if not self._silent:
                self._say(f"progress not delivered: {error}")
            self._silent = True

    def register(self, checkpoint: str | None = None) -> None:
        """Register ``checkpoint`` (a folder's name) after all that could not be sent before."""
        waiting = list(dict.fromkeys([*self.unsent(), *([checkpoint] if checkpoint else [])]))
        write_json(self._unsent_file, waiting)
        for name in list(waiting):
            try:
                answer = self._client.register(self._folder / name)
            except ArenaUnreachable as error:
                self._say(f"{name} not registered, will be sent again: {error}")
                return
            except ArenaRefused as error:
                self._say(f"{name} refused by the arena: {error}")
            else:
                self._say(f"{name} registered: {answer.get('url', answer)}")
            waiting.remove(name)
            write_json(self._unsent_file, waiting)

    def unsent(self) -> list[str]:
        """Names of checkpoint folders that the arena has not got yet."""
        if not self._unsent_file.exists():
            return []
        names: list[str] = json.loads(self._unsent_file.read_text("utf-8"))
        return names

    def standings(self) -> Any:
        """The TrueSkill board, or None when the arena does not answer."""
        try:
            return self._client.standings()
        except (ArenaUnreachable, ArenaRefused) as error:
            self._say(f"no standings: {error}")
            return None
