"""Time-weighted averages of a sequential rating (docs/elo.md): the paper's figure 5 plots one without defining it.

A rating R(t) is constant between votes. Its average up to T over a window W is (1/W) times the integral of R from
T - W to T; an exponential average weighs R(t) by 2^(-(T - t) / h) instead. Both are kept up at a constant price a vote,
from the sums of changes and of changes times their moment: the integral of R to T is R(T) T - sum of change * moment.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rating.system import State

Clock = Literal["votes", "wall"]
Floats = NDArray[np.float64]
# Marks an octave of time, or a window, is divided into.
STEPS = 8


@dataclass(frozen=True)
class Moves:
    """What N > 0 votes did: M changes of ratings in the order of the votes.

    `codes` (M,) index `contestants`, `changes` (M,) are in rating points, `at` (M,) says which of the votes did it.
    `times` (N,) are the votes' seconds since 1970.
    """

    contestants: tuple[str, ...]
    codes: NDArray[np.intp]
    changes: Floats
    at: NDArray[np.intp]
    times: Floats

    def moved(self) -> NDArray[np.intp]:
        """The codes of the contestants that took part, in order."""
        return np.flatnonzero(np.bincount(self.codes))


class Average(Protocol):
    """A way to average. Folding moves at once or in any pieces gives the same state, bit for bit."""

    @property
    def name(self) -> str:
        """What is averaged over, such as `half of votes`: a part of a method's text."""

    def start(self) -> State:
        """The state before the first vote."""

    def fold(self, state: State, moves: Moves) -> State:
        """The state after the moves; the argument stays as it is."""

    def values(self, state: State) -> dict[str, float]:
        """For every contestant that moved, its average as points above the first rating."""


@dataclass(frozen=True)
class WindowMean:
    """The mean over the last `window` of the clock, from the first vote if that is later; None: over the last half.

    By the clock "votes" the i-th vote, from 0, happens at i and now is the number of votes; by "wall" a vote happens at
    its time, or at the latest time before it if the log goes backwards, and now is the last vote's. Windows start at
    marks: a vote is a mark if it is the first one in its eighth of an octave of time since the first vote, or in its
    eighth of a `window`. The window of now is the shortest one from a mark that is long enough, so with dense votes it
    is up to 1/9 longer than half, and up to 1/8 longer than `window`. Whoever was first rated inside it is averaged
    since then.
    """

    clock: Clock = "votes"
    window: float | None = None

    @property
    def name(self) -> str:
        """Such as `half of votes` or `1000 of votes`."""
        return f"{'half' if self.window is None else format(self.window, 'g')} of {self.clock}"

    def start(self) -> State:
        """No time has passed."""
        return {"clock": _start(), "levels": {}, "moments": {}, "first": {}, "marks": []}

    def fold(self, state: State, moves: Moves) -> State:
        """Sums of changes (`levels`) and of changes times their moment, and the areas up to each mark still needed."""
        clock, times = _advance(self.clock, state["clock"], moves.times)
        levels, moments = _array(state["levels"], moves), _array(state["moments"], moves)
        cells = self._cells(np.concatenate([[state["clock"]["last"]], times]))
        stops = np.flatnonzero(cells[1:] > cells[:-1])
        bounds = np.searchsorted(moves.at, [0, *stops, len(times)])
        marks, untouched = list(state["marks"]), _others(state, moves)
        for stop, (low, high) in zip([-1, *stops], pairwise(bounds), strict=True):
            if stop >= 0:
                marks.append([float(times[stop]), _areas(levels, moments, times[stop], moves, untouched)])
            np.add.at(levels, moves.codes[low:high], moves.changes[low:high])
            np.add.at(moments, moves.codes[low:high], moves.changes[low:high] * times[moves.at[low:high]])
        return {
            "clock": clock,
            "levels": _named(state["levels"], levels, moves),
            "moments": _named(state["moments"], moments, moves),
            "first": _first(state["first"], moves, times),
            "marks": marks[_place(marks, self._opening(clock["now"])) :],
        }

    def values(self, state: State) -> dict[str, float]:
        """The means over the window."""
        now, marks = state["clock"]["now"], state["marks"]
        means = {}
        for contestant, level in state["levels"].items():
            since = max(marks[0][0], state["first"][contestant])
            area = level * now - state["moments"][contestant] - marks[0][1].get(contestant, 0.0)
            means[contestant] = area / (now - since) if now > since else level
        return means

    def _opening(self, now: float) -> float:
        return now / 2 if self.window is None else now - self.window

    def _cells(self, times: Floats) -> Floats:
        """The start of the cell that each time is in; -1 stands before them all."""
        if self.window is not None:
            return np.floor(times * (STEPS / self.window))
        mantissas, exponents = np.frexp(times)
        return np.where(times < 0, -1.0, np.ldexp(np.floor(mantissas * (2 * STEPS)), exponents))


@dataclass(frozen=True)
class DecayingMean:
    """The mean with weights that halve every `half_life` > 0 of the clock (as in WindowMean), since first rated."""

    half_life: float
    clock: Clock = "votes"

    @property
    def name(self) -> str:
        """Such as `half-life 500 of votes`."""
        return f"half-life {self.half_life:g} of {self.clock}"

    def start(self) -> State:
        """No time has passed."""
        return {"clock": _start(), "levels": {}, "faded": {}, "first": {}}

    def fold(self, state: State, moves: Moves) -> State:
        """Sums of changes (`levels`), and of changes faded as of their last one: [sum, moment]."""
        clock, times = _advance(self.clock, state["clock"], moves.times)
        levels = _array(state["levels"], moves)
        np.add.at(levels, moves.codes, moves.changes)
        faded = dict(state["faded"])
        for code, change, moment in zip(
            moves.codes.tolist(), moves.changes.tolist(), times[moves.at].tolist(), strict=True
        ):
            total, since = faded.get(moves.contestants[code], (0.0, moment))
            faded[moves.contestants[code]] = [total * 0.5 ** ((moment - since) / self.half_life) + change, moment]
        return {
            "clock": clock,
            "levels": _named(state["levels"], levels, moves),
            "faded": dict(sorted(faded.items())),
            "first": _first(state["first"], moves, times),
        }

    def values(self, state: State) -> dict[str, float]:
        """A change that is x half-lives old counts by 1 - 2^-x: that is the weighted mean of what followed it."""
        now = state["clock"]["now"]
        means = {}
        for contestant, level in state["levels"].items():
            total, since = state["faded"][contestant]
            passed = 1.0 - 0.5 ** ((now - state["first"][contestant]) / self.half_life)
            recent = total * 0.5 ** ((now - since) / self.half_life)
            means[contestant] = (level - recent) / passed if passed > 0 else level
        return means


def _start() -> State:
    return {"origin": None, "last": -1.0, "now": 0.0}


def _advance(clock: Clock, state: State, times: Floats) -> tuple[State, Floats]:
    """The clock's state after the votes, and the moment of each."""
    if clock == "votes":
        moments = state["now"] + np.arange(float(len(times)))
        return {"origin": 0.0, "last": float(moments[-1]), "now": float(moments[-1]) + 1.0}, moments
    origin = float(times[0]) if state["origin"] is None else state["origin"]
    moments = np.maximum(np.maximum.accumulate(times - origin), state["now"])
    return {"origin": origin, "last": float(moments[-1]), "now": float(moments[-1])}, moments


def _place(marks: list[list[object]], opening: float) -> int:
    """The place of the last mark at or before `opening`, 0 if there is none."""
    return max(0, sum(mark[0] <= opening for mark in marks) - 1)  # type: ignore[operator]


def _array(by_name: dict[str, float], moves: Moves) -> Floats:
    return np.array([by_name.get(contestant, 0.0) for contestant in moves.contestants], dtype=np.float64)


def _named(before: dict[str, float], after: Floats, moves: Moves) -> dict[str, float]:
    """The numbers by name, with those of the contestants that moved replaced."""
    moved = {moves.contestants[code]: float(after[code]) for code in moves.moved()}
    return dict(sorted((before | moved).items()))


def _first(before: dict[str, float], moves: Moves, times: Floats) -> dict[str, float]:
    first = np.zeros(len(moves.contestants), np.intp)
    first[moves.codes[::-1]] = moves.at[::-1]
    return dict(
        sorted(({moves.contestants[code]: float(times[first[code]]) for code in moves.moved()} | before).items())
    )


def _others(state: State, moves: Moves) -> dict[str, tuple[float, float]]:
    """(level, moment) of the contestants that these moves do not name."""
    names = set(moves.contestants)
    return {key: (level, state["moments"][key]) for key, level in state["levels"].items() if key not in names}


def _areas(
    levels: Floats, moments: Floats, now: float, moves: Moves, others: dict[str, tuple[float, float]]
) -> dict[str, float]:
    """The integral of each contestant's points above the first rating, from the start to `now`; zeros left out."""
    areas = dict(zip(moves.contestants, (levels * now - moments).tolist(), strict=True))
    areas |= {key: float(level * now - moment) for key, (level, moment) in others.items()}
    return {contestant: area for contestant, area in sorted(areas.items()) if area}
