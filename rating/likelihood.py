"""The log likelihood of counted stages with its derivatives, and Newton's method on it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rating.distinct import distinct
from rating.errors import RunawayError
from rating.stages import Block, Draws, Stages

CHUNK = 1 << 12  # frames at once: what is computed for them stays in the cache
STEP = 1e-8  # in nat; Newton's steps shrink quadratically, so the one after this is lost in rounding
FURTHEST = 4.0  # in nat; beyond, the parabola through a point says little of a logistic
RUNAWAY = 0.1  # in nat; a step this large that gains nothing goes on for ever
GAIN = 1e-6  # in nat, times the weight of the lightest vote
ITERATIONS = 200
HALVINGS = 60


@dataclass(frozen=True, eq=False)
class Cells:
    """Equal stages counted: C frames (what was available) by A alternatives (what was chosen).

    `index` (C, q) holds the places of the parameters that a frame involves; `design` is (A, q), `counts` (C, A).
    """

    design: NDArray[np.float64]
    index: NDArray[np.intp]
    counts: NDArray[np.float64]


class Loops(Protocol):
    """What another engine may do of a fit (`rating.compiled.CompiledJoint`)."""

    def rankings(self, block: Block, tied: Sequence[tuple[int, int]]) -> Iterable[Stages]:
        """The stages of rankings, as `rating.stages.stages` wants them."""

    def add(
        self, cells: Cells, at: NDArray[np.float64], gradient: NDArray[np.float64], flat: NDArray[np.float64]
    ) -> float:
        """As `_add`."""


@dataclass(frozen=True, eq=False)
class Likelihood:
    """A concave function of p parameters: cells, and draws under Rao-Kupper as (place of the margin, how many)."""

    size: int
    cells: list[Cells]
    draws: list[tuple[int, float]]
    loops: Loops | None = None


@dataclass(frozen=True, eq=False)
class Derivatives:
    """The log likelihood at some point, its gradient (p,) and minus its Hessian (p, p)."""

    value: float
    gradient: NDArray[np.float64]
    information: NDArray[np.float64]


def frames(stage: Stages, size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(C, q) the parameters of each distinct frame, sorted, and (R,) the frame of each row.

    `size`: all places of members are below it.
    """
    frame, example = distinct(list(stage.members.T), size)
    terms = np.broadcast_to(np.array(stage.terms, dtype=np.intp), (len(example), len(stage.terms)))
    return np.hstack([stage.members[example], terms]), frame


def likelihood_of(
    batches: Sequence[Stages],
    draws: Sequence[Draws],
    size: int,
    weights: NDArray[np.float64] | None = None,
    loops: Loops | None = None,
) -> Likelihood:
    """Count equal stages; `weights` (N,) by vote, 1 each without.

    With whole weights the order of the votes has no influence, to the bit: sums of whole numbers are exact.
    """
    cells = []
    for batch in batches:
        index, frame = frames(batch, size)
        key = frame * len(batch.design) + batch.chosen
        counts = np.bincount(key, None if weights is None else weights[batch.vote], len(index) * len(batch.design))
        shared = np.asarray(batch.share * counts.reshape(len(index), -1), dtype=np.float64)
        cells.append(Cells(batch.design, index, shared))
    totals = [
        (drawn.margin, float(len(drawn.vote) if weights is None else weights[drawn.vote].sum())) for drawn in draws
    ]
    return Likelihood(size, cells, totals, loops)


def derivatives(likelihood: Likelihood, at: NDArray[np.float64]) -> Derivatives:
    """Value, gradient and information at a point (p,); the value is -inf where a margin is not positive."""
    p = likelihood.size
    value, gradient, flat = 0.0, np.zeros(p), np.zeros(p * p)
    add = likelihood.loops.add if likelihood.loops else _add
    for cells in likelihood.cells:
        value += add(cells, at, gradient, flat)
    information = flat.reshape(p, p)
    information += np.triu(information.T, 1) + np.tril(information.T, -1)
    for margin, count in likelihood.draws:
        if at[margin] <= 0:
            return Derivatives(-np.inf, gradient, information)
        value += count * float(log_draw_factor(at[margin]))
        gradient[margin] += count * draw_slope(at[margin])
        information[margin, margin] += count / np.sinh(at[margin]) ** 2
    return Derivatives(value, gradient, information)


def _add(cells: Cells, at: NDArray[np.float64], gradient: NDArray[np.float64], flat: NDArray[np.float64]) -> float:
    """The cells' share of the value; theirs of the gradient (p,) and the information's upper half (p * p,) is added."""
    p, value, design = len(at), 0.0, cells.design
    one, other = np.triu_indices(design.shape[1])
    products = design[:, one] * design[:, other]
    # Each chunk adds a (p, p) array: with many contestants take as many frames as that is worth.
    chunk = max(CHUNK, p * p // len(one))
    for start in range(0, len(cells.index), chunk):
        index, counts = cells.index[start : start + chunk], cells.counts[start : start + chunk]
        log_p = log_softmax(at[index] @ design.T)
        value += float((counts * log_p).sum())
        total = counts.sum(axis=1, keepdims=True)
        expected = total * np.exp(log_p)
        gradient += np.bincount(index.ravel(), ((counts - expected) @ design).ravel(), p)
        mean = expected @ design
        spread = expected @ products - mean[:, one] * (mean / total)[:, other]
        pairs = index[:, one] * p + index[:, other]
        flat += np.bincount(pairs.ravel(), spread.ravel(), p * p)
    return value


def log_softmax(utility: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C, A) log probabilities of the alternatives in each row."""
    utility = utility - utility.max(axis=1, keepdims=True)
    return np.asarray(utility - np.log(np.exp(utility).sum(axis=1, keepdims=True)))


def log_draw_factor(margin: float) -> float:
    """log(exp(2 margin) - 1), without overflow."""
    return float(2 * margin + np.log(-np.expm1(-2 * margin)))


def draw_slope(margin: float) -> float:
    """The derivative of `log_draw_factor`."""
    return float(-2 / np.expm1(-2 * margin))


def gauge(information: NDArray[np.float64], took_part: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(p,) a vector along the direction that no vote informs of: all strengths alike; scaled like the information."""
    n = len(took_part)
    scale = np.diagonal(information)[:n][took_part].mean()
    along = np.zeros(len(information))
    along[:n][took_part] = np.sqrt(scale / np.count_nonzero(took_part))
    return along


def completed(information: NDArray[np.float64], took_part: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The information made regular: the common shift held, contestants that took no part held."""
    along = gauge(information, took_part)
    idle = np.zeros(len(information))
    idle[: len(took_part)] = ~took_part
    return np.asarray(information + np.outer(along, along) + np.diag(idle))


def maximise(
    likelihood: Likelihood,
    start: NDArray[np.float64],
    took_part: NDArray[np.bool_],
    precision: float,
    names: Sequence[str],
    weight: float,
) -> tuple[NDArray[np.float64], Derivatives, int]:
    """Newton's method with step halving: the maximum, the derivatives of the likelihood there, the iterations.

    `took_part` (n,) for the first n parameters, the strengths; `precision` is that of the prior of all parameters
    around 0; `weight` is that of the lightest vote. Raises RunawayError naming the parameters that run to infinity.
    """
    prior = np.full(likelihood.size, precision)
    at, here = start, derivatives(likelihood, start)
    for iteration in range(1, ITERATIONS + 1):
        gradient = here.gradient - prior * at
        try:
            step = np.asarray(np.linalg.solve(completed(here.information + np.diag(prior), took_part), gradient))
        except np.linalg.LinAlgError:
            break
        longest = np.abs(step).max()
        if longest > RUNAWAY and gradient @ step < GAIN * weight:
            break
        if longest < STEP:
            at = at + step
            return at, derivatives(likelihood, at), iteration
        at, here = _uphill(likelihood, prior, at, here, step * min(1.0, FURTHEST / longest))
    speed = np.abs(gradient / np.maximum(np.diagonal(here.information), 1e-300))
    raise RunawayError(_running(names, speed, len(took_part)))


def _uphill(
    likelihood: Likelihood,
    prior: NDArray[np.float64],
    at: NDArray[np.float64],
    here: Derivatives,
    step: NDArray[np.float64],
) -> tuple[NDArray[np.float64], Derivatives]:
    """The first of step, step/2, step/4… that does not lower the objective beyond rounding."""
    floor = here.value - prior @ at**2 / 2 - 1e-12 * abs(here.value)
    for _ in range(HALVINGS):
        there = at + step
        found = derivatives(likelihood, there)
        if found.value - prior @ there**2 / 2 >= floor:
            return there, found
        step = step / 2
    return at, here


def _running(names: Sequence[str], speed: NDArray[np.float64], contestants: int) -> list[str]:
    """Which parameters have no finite estimate; the terms, unless only contestants run."""
    running = np.flatnonzero(speed >= speed.max() / 2).tolist()
    terms = [names[at] for at in running if at >= contestants]
    return terms or [names[at] for at in running[:3]]
