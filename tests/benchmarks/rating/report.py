"""Runs the races and the limits of the rating engine and tells what came out, as a table and as JSON."""

import platform
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.table import Table

from tests.benchmarks.rating import workloads
from tests.benchmarks.rating.environment import peers_python
from tests.benchmarks.rating.lines import LIMITS, RACES
from tests.benchmarks.rating.race import ROUNDS, Entrant, Limit, Race, Runs, run

Say = Callable[[str], None]
SCALE = {"µs a vote": 1e6, "ms a resample": 1e3, "ms": 1.0, "s": 1.0, "MB": 1.0}


@dataclass(frozen=True)
class Figure:
    """Median, least and most of one entrant's runs."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.3g} [{self.least:.3g}, {self.most:.3g}]"


@dataclass(frozen=True)
class Line:
    """One line of the table. `figures` and `ratios` go by entrant: ours are "pure" and "numba"; None: not demanded."""

    task: str
    unit: str
    rival: str
    sizes: dict[str, int]
    figures: dict[str, Figure | str]
    ratios: dict[str, float]
    required: dict[str, float]
    versions: dict[str, str]

    @property
    def met(self) -> dict[str, bool]:
        """Whether each demanded ratio is reached; a peer that does not run decides nothing."""
        return {name: self.ratios[name] >= least for name, least in self.required.items() if name in self.ratios}


def measured(say: Say, only: list[str], quick: bool, rounds: int = ROUNDS) -> list[Line]:
    """Run the races and limits whose names contain a word of `only`, all for "rating".

    `quick` runs a tenth of the work, twice.
    """
    rounds, cut = (2, 10) if quick else (rounds, 1)
    lines: list[Line] = []
    races = [race for race in RACES if _chosen(race.name, only)]
    limits = [limit for limit in LIMITS if _chosen(limit.name, only)]
    if not races and not limits:
        return lines
    peers = peers_python(say) if races else Path()
    with TemporaryDirectory() as name:
        paths = _workloads(Path(name))
        for race in races:
            say(f"measuring: {race.name}…")
            lines.extend(_race(race, paths[race.workload], peers, rounds, cut))
        for limit in limits:
            say(f"measuring: {limit.name}…")
            lines.append(_limit(limit, paths[limit.workload], rounds))
    return lines


def _chosen(name: str, only: list[str]) -> bool:
    return "rating" in only or any(word in name for word in only)


def _workloads(folder: Path) -> dict[str, Path]:
    arrays = {
        "duels": workloads.duels(1_000_000),
        "rankings": workloads.rankings(100_000, ties=0.1),
        "strict": workloads.rankings(100_000, ties=0.0),
    }
    return {name: workloads.save(folder, name, votes) for name, votes in arrays.items()}


def _race(race: Race, workload: Path, peers: Path, rounds: int, cut: int) -> Iterator[Line]:
    def smaller(entrant: Entrant) -> Entrant:
        return replace(entrant, size=max(1, entrant.size // cut))

    ours = [smaller(entrant) for entrant in (race.pure, race.fast) if entrant]
    rivals = [smaller(rival.entrant) for rival in race.rivals]
    runs = run([*ours, *rivals], workload, lambda entrant: _python(entrant, peers), rounds)
    for rival, entrant in zip(race.rivals, rivals, strict=True):
        shown = [*ours, entrant]
        theirs = runs[entrant]
        ratios = {own.name: theirs.median / runs[own].median for own in ours if theirs.figures and runs[own].figures}
        yield Line(
            task=race.name,
            unit=race.unit,
            rival=entrant.name,
            sizes={each.name: each.size for each in shown},
            figures={each.name: _figure(runs[each], SCALE[race.unit]) for each in shown},
            ratios=ratios,
            required={name: least for name, least in (("pure", rival.pure), ("numba", rival.fast)) if least},
            versions=theirs.versions,
        )


def _limit(limit: Limit, workload: Path, rounds: int) -> Line:
    turns = (1, 0) if limit.unit == "MB" else (rounds, 1)
    runs = run([limit.ours], workload, lambda entrant: _python(entrant, Path()), *turns)
    found = runs[limit.ours]
    return Line(
        task=limit.name,
        unit=limit.unit,
        rival=f"at most {limit.limit:g} {limit.unit}",
        sizes={},
        figures={"pure": _figure(found, 1.0)},
        ratios={"pure": limit.limit / found.median} if found.figures else {},
        required={"pure": 1.0},
        versions={},
    )


def _python(entrant: Entrant, peers: Path) -> Path:
    return peers if entrant.module.startswith("peers.") else Path(sys.executable)


def _figure(runs: Runs, scale: float) -> Figure | str:
    if not runs.figures:
        return runs.failure or "not run"
    figures = [figure * scale for figure in runs.figures]
    return Figure(statistics.median(figures), min(figures), max(figures))


def table(lines: list[Line]) -> Table:
    """The lines as a table; each ratio with what is demanded."""
    shown = Table("task", "unit", "pure", "numba", "peer or limit", "its figure", "pure: ratio", "numba: ratio")
    for line in lines:
        cells = [str(line.figures.get(name, "")) for name in ("pure", "numba", line.rival)]
        verdicts = [_verdict(line, name) for name in ("pure", "numba")]
        peer = " ".join([line.rival, *line.versions.values()])
        shown.add_row(line.task, line.unit, cells[0], cells[1], peer, cells[2], *verdicts)
    return shown


def _verdict(line: Line, name: str) -> str:
    if name not in line.ratios:
        return ""
    ratio = f"{line.ratios[name]:.3g}x"
    if name not in line.required:
        return ratio
    return f"{ratio} (>= {line.required[name]:g}: {'met' if line.met[name] else 'NOT met'})"


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    names = [line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    packages = {name: version(name) for name in ("numpy", "scipy", "numba")}
    return {
        "processor": f"{len(names)} x {names[0]}" if names else platform.processor(),
        "python": platform.python_version(),
        **packages,
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def as_json(lines: list[Line]) -> list[dict[str, object]]:
    return [asdict(line) | {"met": line.met} for line in lines]
