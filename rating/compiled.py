"""Elo and TrueSkill for millions of votes: the same systems with their loops compiled by numba (docs/speed.md).

The states are those of `EloSystem` and `TrueSkillSystem`, equal to 1e-9; a fold may go on from either's. Compiled code
is kept where numba keeps it (NUMBA_CACHE_DIR, or beside the package, or in the user's cache folder). Loading it takes
about a second, so it pays from some hundred thousand votes on.
"""

import importlib
import math
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from rating.averages import STEPS, Moves, WindowMean, _advance, _areas, _array, _others, _place
from rating.elo import EloSystem
from rating.errors import CompiledError
from rating.system import State
from rating.trueskill import OWN, TrueSkillSystem, _Board
from rating.votes import Votes


def _kernels(engine: str) -> ModuleType:
    try:
        return importlib.import_module(f"rating.compiled_{engine}")
    except ImportError as error:
        raise CompiledError(
            f"the compiled engines need numba ({error}): pip install 'illustration-arena[fast]', or use the plain ones"
        ) from None


@dataclass(frozen=True)
class CompiledElo(EloSystem):
    """`EloSystem`, compiled. Its average must be a `WindowMean`; raises CompiledError otherwise, or without numba."""

    def __post_init__(self) -> None:
        _kernels("elo")
        if not isinstance(self.average, WindowMean):
            raise CompiledError(f"compiled Elo averages over a window, not by {self.average.name!r}; use EloSystem")

    @property
    def methodology(self) -> str:
        """Version and constants."""
        return f"{super().methodology} compiled"

    def fold(self, state: State, votes: Votes) -> State:
        """As `EloSystem.fold`."""
        counted = votes.counted
        if not counted.any():
            return state
        kernels, average, before = _kernels("elo"), self.average, state["average"]
        assert isinstance(average, WindowMean)
        names = votes.contestants
        nobody = Moves(names, np.empty(0, np.intp), np.empty(0), np.empty(0, np.intp), votes.times)
        clock, times = _times(average, before["clock"], votes.times, counted)
        ratings = np.array([state["ratings"].get(name, self.initial) for name in names], dtype=np.float64)
        sums = np.stack([_array(before["levels"], nobody), _array(before["moments"], nobody)])
        first = np.full(len(names), math.nan)
        scale = 0.0 if average.window is None else STEPS / average.window
        cell = float(average._cells(np.array([before["clock"]["last"]]))[0])
        at, marks, untouched = 0, list(before["marks"]), _others(before, nobody)
        while True:
            at, cell = kernels.play_elo(
                at, votes.seats, votes.ranks, votes.kinds, times, ratings, self.k, scale, cell,
                _boundary(cell, average), sums, first,
            )  # fmt: skip
            if at == len(times):
                break
            marks.append([float(times[at]), _areas(sums[0], sums[1], times[at], nobody, untouched)])
        moved = np.flatnonzero(~np.isnan(first))
        return {
            "ratings": _named(state["ratings"], ratings, names, moved),
            "average": {
                "clock": clock,
                "levels": _named(before["levels"], sums[0], names, moved),
                "moments": _named(before["moments"], sums[1], names, moved),
                "first": dict(sorted((_named({}, first, names, moved) | before["first"]).items())),
                "marks": marks[_place(marks, average._opening(clock["now"])) :],
            },
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
        _kernels("trueskill").play_trueskill(
            votes.seats, votes.ranks, votes.kinds, votes.poll, beliefs[0], beliefs[1], margins[0], margins[1],
            self.beta, constants.drift, constants.prior_draws, constants.most,
        )  # fmt: skip
        rated = _present(votes.seats, counted, len(names))
        learned = _present(votes.poll[:, None], counted, len(polls))
        return {
            "beliefs": _named(state["beliefs"], beliefs.T, names, rated),
            "margins": _named(state["margins"], margins.T, polls, learned),
        }


def _times(
    average: WindowMean, clock: State, times: NDArray[np.float64], counted: NDArray[np.bool_]
) -> tuple[State, NDArray[np.float64]]:
    """The clock after the votes, and the moment of each vote, counted or not; those of the others are not used."""
    if counted.all():
        return _advance(average.clock, clock, times)
    after, moments = _advance(average.clock, clock, times[counted])
    spread = np.zeros(len(times))
    spread[counted] = moments
    return after, spread


def _boundary(cell: float, average: WindowMean) -> float:
    """A time before which none is in a later cell."""
    if average.window is not None or cell < 0.0:
        return -1.0
    if cell == 0.0:
        return math.ulp(0.0)
    mantissa, exponent = math.frexp(cell)
    return math.ldexp(math.floor(mantissa * 2 * STEPS) + 1, exponent) / (2 * STEPS) / (2 * STEPS)


def _present(codes: NDArray[np.int32], counted: NDArray[np.bool_], count: int) -> NDArray[np.intp]:
    """The codes among those of the counted votes, in order."""
    return np.flatnonzero(np.bincount(codes[counted].ravel() + 1, minlength=count + 1)[1:])


def _named(before: State, after: NDArray[np.float64], names: tuple[str, ...], chosen: NDArray[np.intp]) -> State:
    """The numbers by name, with those of the chosen replaced."""
    return dict(sorted((before | {names[code]: after[code].tolist() for code in chosen.tolist()}).items()))
