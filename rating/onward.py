"""The joint likelihood between two fits: where votes cast since the last one move it (docs/joint.md)."""

import math
from base64 import b64decode, b64encode
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rating.covariance import ClusteredCovariance
from rating.joint import JointFit
from rating.system import State
from rating.votes import Votes

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Onward:
    """A fit of `fitted` votes with its clustered covariance, and the `gradient` (p,) that `further` votes have at its
    estimate, in 1/nat.
    """

    fit: JointFit
    covariance: ClusteredCovariance
    fitted: int
    gradient: Floats
    further: int = 0

    @classmethod
    def of(cls, fit: JointFit, covariance: ClusteredCovariance, fitted: int) -> "Onward":
        """Before any further vote."""
        return cls(fit, covariance, fitted, np.zeros(len(fit.parameters)))

    def with_votes(self, votes: Votes) -> "Onward":
        """With further votes. Those that the fit gives no probability wait for the next one: on a contestant that it
        does not know, or a tie in a poll that had none.
        """
        known = votes.take(np.isfinite(self.fit.log_probability(votes)))
        scores = self.fit.scores(known)
        added = np.bincount(scores.parameter, scores.value, len(self.gradient))
        return replace(self, gradient=self.gradient + added, further=self.further + len(known))

    def at_rest(self) -> "Onward":
        """Without the further votes."""
        return Onward.of(self.fit, self.covariance, self.fitted)

    def moves(self) -> dict[str, float]:
        """By contestant of the fit, how far all votes together move it, in nat, with the mean move 0.

        One Newton step from the estimate, where the gradient of the fitted votes is 0. The further votes are taken to
        inform as the fitted ones do on average: the step errs by the square of its length, until the next fit.
        """
        step = self.fit.covariance() @ self.gradient * (self.fitted / (self.fitted + self.further))
        names = zip(self.fit.contestants, self.fit.took_part.tolist(), step.tolist(), strict=False)
        return {name: move for name, took_part, move in names if took_part}

    def as_state(self) -> State:
        """As JSON takes it, without the loss of a bit; `from_state` reads it."""
        return {
            "contestants": list(self.fit.contestants),
            "parameters": list(self.fit.parameters),
            "estimate": _packed(self.fit.estimate),
            "information": _packed_half(self.fit.information),
            "covariance": _packed_half(self.covariance.matrix),
            "dof": self.covariance.dof if math.isfinite(self.covariance.dof) else None,
            "fitted": self.fitted,
            "gradient": _packed(self.gradient),
            "further": self.further,
        }

    @classmethod
    def from_state(cls, state: State) -> "Onward":
        """What `as_state` wrote."""
        contestants, parameters = tuple(state["contestants"]), tuple(state["parameters"])
        estimate, dof = _unpacked(state["estimate"]), state["dof"]
        fit = JointFit(
            contestants=contestants,
            took_part=np.isfinite(estimate[: len(contestants)]),
            parameters=parameters,
            estimate=estimate,
            information=_unpacked_half(state["information"], len(parameters)),
            log_likelihood=math.nan,
            iterations=0,
        )
        matrix = _unpacked_half(state["covariance"], len(contestants))
        covariance = ClusteredCovariance(matrix, math.inf if dof is None else dof)
        return cls(fit, covariance, state["fitted"], _unpacked(state["gradient"]), state["further"])


def _packed(numbers: Floats) -> str:
    return b64encode(numbers.astype("<f8").tobytes()).decode()


def _unpacked(text: str) -> Floats:
    return np.frombuffer(b64decode(text), "<f8").copy()


def _packed_half(symmetric: Floats) -> str:
    return _packed(symmetric[np.triu_indices(len(symmetric))])


def _unpacked_half(text: str, size: int) -> Floats:
    half = np.zeros((size, size))
    half[np.triu_indices(size)] = _unpacked(text)
    return np.asarray(half + np.triu(half, 1).T)
