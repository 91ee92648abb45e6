"""For millions of votes: Elo, TrueSkill and the fit to rankings with their loops compiled by numba (docs/speed.md).

The states are those of `EloSystem` and `TrueSkillSystem`, equal to 1e-9; a fold may go on from either's. Compiled code
is kept where numba keeps it (NUMBA_CACHE_DIR, or beside the package, or in the user's cache folder). Loading it takes
about a second, so it pays from some hundred thousand votes on.
"""

import importlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import comb
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rating.averages import STEPS, Moves, WindowMean, _advance, _areas, _array, _others, _place
from rating.elo import EloSystem
from rating.errors import CompiledError
from rating.likelihood import Cells
from rating.stages import UNSEEN, Block, Stages, choices
from rating.system import State
from rating.trueskill import OWN, TrueSkillSystem, _Board
from rating.votes import Votes

Floats = NDArray[np.float64]


def _kernels(engine: str) -> ModuleType:
    try:
        return importlib.import_module(f"rating.compiled_{engine}")
    except ImportError as error:
        raise CompiledError(
            f"the compiled engines need numba ({error}): pip install 'illustration-arena[fast]', or use the plain ones"
        ) from None


@dataclass(frozen=True)
class CompiledElo(EloSystem):
    """`EloSystem`, compiled, with a `WindowMean` or no average. Raises CompiledError for others, or without numba."""

    def __post_init__(self) -> None:
        _kernels("elo")
        if not (self.average is None or isinstance(self.average, WindowMean)):
            raise CompiledError(f"compiled Elo averages over a window, not by {self.average.name!r}; use EloSystem")

    @property
    def methodology(self) -> str:
        """Version and constants."""
        return f"{super().methodology} compiled"

    def fold(self, state: State, votes: Votes) -> State:
        """As `EloSystem.fold`."""
        if not votes.counted.any():
            return state
        names, n = votes.contestants, len(votes.contestants)
        ratings = np.array([state["ratings"].get(name, self.initial) for name in names], dtype=np.float64)
        first = np.full(n, math.nan)
        if isinstance(self.average, WindowMean):
            average = self._fold_both(self.average, state["average"], votes, ratings, first)
        else:
            average, sums = None, np.zeros((2, n))
            self._play(0, votes, votes.times, ratings, 0.0, 0.0, math.inf, sums, first)
        return {"ratings": _named(state["ratings"], ratings, names, _rated(first)), "average": average}

    def _play(self, start: int, votes: Votes, *rest: Any) -> tuple[int, float]:
        times, ratings, *others = rest
        played: tuple[int, float] = _kernels("elo").play_elo(
            start, votes.seats, votes.ranks, votes.kinds, times, ratings, self.k, *others
        )
        return played

    def _fold_both(self, average: WindowMean, before: State, votes: Votes, ratings: Floats, first: Floats) -> State:
        """Play the votes and give the average's state after them: marks are set where the kernel stops."""
        names = votes.contestants
        nobody = Moves(names, np.empty(0, np.intp), np.empty(0), np.empty(0, np.intp), votes.times)
        clock, times = _times(average, before["clock"], votes.times, votes.counted)
        sums = np.stack([_array(before["levels"], nobody), _array(before["moments"], nobody)])
        scale = 0.0 if average.window is None else STEPS / average.window
        cell = float(average._cells(np.array([before["clock"]["last"]]))[0])
        at, marks, untouched = 0, list(before["marks"]), _others(before, nobody)
        while True:
            at, cell = self._play(at, votes, times, ratings, scale, cell, _boundary(cell, average), sums, first)
            if at == len(times):
                break
            marks.append([float(times[at]), _areas(sums[0], sums[1], times[at], nobody, untouched)])
        rated = _rated(first)
        return {
            "clock": clock,
            "levels": _named(before["levels"], sums[0], names, rated),
            "moments": _named(before["moments"], sums[1], names, rated),
            "first": dict(sorted((_named({}, first, names, rated) | before["first"]).items())),
            "marks": marks[_place(marks, average._opening(clock["now"])) :],
        }


@dataclass(frozen=True)
class CompiledTrueSkill(TrueSkillSystem):
    """`TrueSkillSystem`, compiled. Raises CompiledError with `compat` or another backend, or without numba."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _kernels("trueskill")
        if self.compat or self.backend != OWN:
            raise CompiledError("compiled TrueSkill is our own only; use TrueSkillSystem for compat and for backends")

    @property
    def methodology(self) -> str:
        """Version and constants."""
        return f"{super().methodology} compiled"

    def fold(self, state: State, votes: Votes) -> State:
        """As `TrueSkillSystem.fold`."""
        counted = votes.counted
        if not counted.any():
            return state
        names, polls = votes.contestants, votes.polls
        prior = [self.mu, self.sigma * self.sigma]
        beliefs = (
            np.array([state["beliefs"].get(name, prior) for name in names], dtype=np.float64).reshape(-1, 2).T.copy()
        )
        margins = np.array([state["margins"].get(poll) or self._first_margin(poll) for poll in polls]).T.copy()
        constants = _Board(self, [], [], [], [])
        rated, learned = np.zeros(len(names), np.bool_), np.zeros(len(polls), np.bool_)
        _kernels("trueskill").play_trueskill(
            votes.seats, votes.ranks, votes.kinds, votes.poll, beliefs[0], beliefs[1], margins[0], margins[1],
            self.beta, constants.drift, constants.prior_draws, constants.most, rated, learned,
        )  # fmt: skip
        return {
            "beliefs": _named(state["beliefs"], beliefs.T, names, np.flatnonzero(rated)),
            "margins": _named(state["margins"], margins.T, polls, np.flatnonzero(learned)),
        }


@dataclass(frozen=True)
class CompiledJoint:
    """The loops of `rating.joint.fit_joint`, compiled. Raises CompiledError without numba."""

    def __post_init__(self) -> None:
        _kernels("joint")

    def add(self, cells: Cells, at: Floats, gradient: Floats, flat: Floats) -> float:
        """As `rating.likelihood._add`."""
        value: float = _kernels("joint").add(cells.design, cells.index, cells.counts, at, gradient, flat)
        return value

    def rankings(self, block: Block, tied: Sequence[tuple[int, int]]) -> Iterator[Stages]:
        """As `rating.stages._ranking_stages`, all stages of a shape in one batch."""
        if not len(block.vote):
            return
        seats, kept = block.members.shape[1], int(block.left is not None)
        most = max([1, *(t for t, _ in tied)])
        choices(seats, tied, block.left)  # refuses too many before anything is counted
        start = np.full((seats + 1, most + 1), UNSEEN, np.int64)
        for size in range(2, seats + 1):
            before = 0
            for t in [1, *(t for t, _ in tied if t <= size)]:
                start[size, t], before = before, before + comb(size, t)
        choose = np.array([[comb(c, j) for j in range(most + 1)] for c in range(seats)], dtype=np.int64)
        bounds, ranking, members, chosen = _kernels("joint").ranking_stages(
            block.members, block.ranks, kept, choose, start
        )
        for shape in range(2 * seats + 1, 3, -1):
            here = slice(bounds[shape], bounds[shape + 1])
            if here.start < here.stop:
                size, with_left = divmod(shape, 2)
                _, terms, design = choices(size, tied, block.left if with_left else None)
                yield Stages(block.vote[ranking[here]], members[here, :size], terms, design, chosen[here])


def _times(average: WindowMean, clock: State, times: Floats, counted: NDArray[np.bool_]) -> tuple[State, Floats]:
    """The clock after the votes, and the moment of each vote, counted or not; those of the others are not used."""
    if counted.all():
        return _advance(average.clock, clock, times)
    after, moments = _advance(average.clock, clock, times[counted])
    spread = np.zeros(len(times))
    spread[counted] = moments
    return after, spread


def _rated(first: Floats) -> NDArray[np.intp]:
    return np.flatnonzero(~np.isnan(first))


def _boundary(cell: float, average: WindowMean) -> float:
    """A time before which none is in a later cell."""
    if average.window is not None or cell < 0.0:
        return -1.0
    if cell == 0.0:
        return math.ulp(0.0)
    mantissa, exponent = math.frexp(cell)
    return math.ldexp(math.floor(mantissa * 2 * STEPS) + 1, exponent) / (2 * STEPS) / (2 * STEPS)


def _named(before: State, after: Floats, names: tuple[str, ...], chosen: NDArray[np.intp]) -> State:
    """The numbers by name, with those of the chosen replaced."""
    return dict(sorted((before | {names[code]: after[code].tolist() for code in chosen.tolist()}).items()))
