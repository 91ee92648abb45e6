"""The training run's line to the arena: plain HTTP from the standard library; the arena may be away at any time."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from generation.files import write_json
from training.errors import UserError, writing
from training.run_files import checkpoints_in, epoch_of, loras_in

TIMEOUT = 10.0  # seconds of waiting for one answer
REGISTER_TIMEOUT = 120.0  # before it answers, the arena reads and hashes the whole folder: 7 GB for a real SDXL
PROGRESS_TIMEOUT = 2.0  # progress is worth less than training time
NO_ARENA = "answered {}, as no arena does: is the address right, and what stands in front of it?"
MAX_ANSWER = 10_000  # bytes that are read of a refusal
PAUSES = (1.0, 2.0, 4.0)  # seconds before the second, third and fourth try
REGISTERED = "arena.json"
ROW = (
    "epoch",
    "contestant",
    "contestant_id",
    "checkpoint",
    "rank",
    "value",
    "mu",
    "low",
    "high",
    "votes",
)  # of a board's row, into the log
LOCAL = frozenset({"raw_loss", "rate", "data_wait", "mfu"})  # of Progress, shown at the terminal alone


class ArenaUnreachable(Exception):
    """The arena did not answer, or answered that it is failing: worth another try later."""


class ArenaRefused(Exception):
    """The arena understood and said no (4xx): the same request will not do better later."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands. ``state``: training, done, failed or stopped.

    The arena's status page shows all but `LOCAL`: ``raw_loss`` (not weighted), the U-Net's learning ``rate``,
    ``data_wait`` (share of the time spent waiting for batches) and ``mfu`` (share of the device's peak), both from 0
    to 1.
    """

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
    raw_loss: float | None = None
    rate: float | None = None
    data_wait: float | None = None
    mfu: float | None = None


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
        body = {name: value for name, value in asdict(progress).items() if name not in LOCAL}
        self._once("POST", f"/api/runs/{urllib.parse.quote(run)}/progress", body, PROGRESS_TIMEOUT)

    def register(self, folder: Path, lora: Path | None = None) -> dict[str, Any]:
        """Make a checkpoint folder, perhaps with a LoRA, a contestant; the arena answers the same for one it knows.

        Returns ``{"id", "created", "evaluation", "url"}``. Raises ArenaUnreachable after all tries, or ArenaRefused.
        """
        checkpoint = json.loads((folder / "checkpoint.json").read_text("utf-8"))
        body = {"path": str(folder.resolve()), "checkpoint": checkpoint}
        if lora is not None:
            body["lora"] = str(lora.resolve())
        answer = self._patiently("POST", "/api/checkpoints", body, REGISTER_TIMEOUT)
        if not isinstance(answer, dict) or type(answer.get("id")) is not int:
            raise ArenaUnreachable(f"{self.url}/api/checkpoints {NO_ARENA.format(json.dumps(answer)[:300])}")
        return answer

    def standings(self, metric: str = "trueskill", population: str = "people", poll: str | None = None) -> Any:
        """The board as JSON: one try. Raises ArenaUnreachable or ArenaRefused."""
        query = {"metric": metric, "population": population} | ({"poll": poll} if poll else {})
        return self._once("GET", f"/api/leaderboard?{urllib.parse.urlencode(query)}", None, TIMEOUT)

    def comparison(self, query: Mapping[str, str | Sequence[str]]) -> Any:
        """What the arena answers to a comparison (docs/api.md): one try. Raises ArenaUnreachable or ArenaRefused."""
        asked = urllib.parse.urlencode(query, doseq=True)
        return self._once("GET", f"/api/comparisons?{asked}", None, TIMEOUT)

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
        said = error.read(MAX_ANSWER).decode(errors="replace").strip()
    message = f"{error.url} answered {error.code}: {_detail(said)}"
    return ArenaUnreachable(message) if error.code >= 500 or error.code == 429 else ArenaRefused(message)


def _detail(said: str) -> str:
    """The sentence of an arena's problem document; of any other answer its beginning."""
    try:
        return str(json.loads(said)["detail"])
    except (ValueError, KeyError, TypeError):
        return said[:300]


class ArenaHook:
    """What a run tells the arena, and hears back; whatever fails is said once and never stops the training.

    ``arena.json`` in the run folder holds, by the arena's address, the checkpoints that it has answered for, each with
    the number of the contestant that it became.
    """

    def __init__(
        self,
        client: ArenaClient,
        run: str,
        folder: Path,
        say: Callable[[str], None],
        population: str = "people",
        base: Path | None = None,
    ) -> None:
        """``population``: of whose votes the standings are, people or simulated.

        ``base``: where the epochs are LoRAs, the checkpoint folder that they are added to.
        """
        self._client = client
        self._base = base
        self._run = run
        self._population = population
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

    def register(self) -> None:
        """Register every whole checkpoint of the run that this arena has not got yet, the oldest first.

        So nothing is lost to a kill, to an arena that was away, or to a run that began without one; a refusal is tried
        again with the next epoch.
        """
        for name in self.waiting():
            try:
                epoch = self._folder / name
                answer = self._client.register(self._base, epoch) if self._base else self._client.register(epoch)
            except ArenaUnreachable as error:
                self._say(f"{name} not registered, will be sent again: {error}")
                return
            except ArenaRefused as error:
                self._say(f"{name} refused by the arena: {error}")
                continue
            self._say(f"{name} registered: {answer.get('url', answer)}")
            here = self._here() | {name: answer["id"]}
            with writing(self._folder / REGISTERED):
                write_json(self._folder / REGISTERED, self._known() | {self._client.url: here})

    def waiting(self) -> list[str]:
        """Names of whole checkpoint folders, or LoRAs, that the arena has not got yet, in the order of their epochs."""
        there, known = (loras_in if self._base else checkpoints_in)(self._folder), self._here()
        return [path.name for path in there if path.name not in known]

    def _here(self) -> dict[str, int]:
        """The arena's contestants by the names of the checkpoints."""
        return self._known().get(self._client.url, {})

    def _known(self) -> dict[str, dict[str, int]]:
        path = self._folder / REGISTERED
        known = json.loads(path.read_text("utf-8")) if path.exists() else {}
        # Lists of names are of an earlier version: the arena answers the same when it is asked again.
        return {url: names for url, names in known.items() if isinstance(names, dict)}

    def standings(self) -> list[dict[str, Any]] | None:
        """The run's own rows of the TrueSkill board, the best first; None when the arena does not answer."""
        try:
            board = self._client.standings(population=self._population)
            own = [row for row in board["rows"] if self._base or row["run"] == self._run]
            rows = [{name: row[name] for name in ROW} for row in own]
        except (ArenaUnreachable, ArenaRefused) as error:
            self._say(f"no standings: {error}")
            return None
        except (KeyError, TypeError):
            self._say(f"no standings: {self._client.url} {NO_ARENA.format(json.dumps(board)[:300])}")
            return None
        return self._of_loras(rows) if self._base else rows

    def _of_loras(self, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those of the run's own LoRAs, with their epochs: the board has the base's run and epoch."""
        epochs = {contestant: epoch_of(Path(name)) for name, contestant in self._here().items()}
        own = (row for row in rows if row["contestant_id"] in epochs)
        return [{**row, "epoch": epochs[row["contestant_id"]]} for row in own]


def format_standings(rows: Sequence[Mapping[str, Any]] | None) -> str:
    """The rows of a run as lines of text: rank on the whole board, checkpoint, rating, votes."""
    lines = [
        f"{row['rank'] or '-':>4}  {row['contestant']}  {_number(row['value'])}  {row['votes']} votes"
        for row in rows or []
    ]
    return "\n".join(["standings:", *lines]) if lines else "no standings yet"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
