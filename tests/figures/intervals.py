"""Figure 2: how wide intervals must be when one voter, or one prompt, has several votes."""

from statistics import NormalDist

import numpy as np

from rating import student
from rating.covariance import cluster_codes, clustered_covariance
from rating.joint import JointFit, fit_joint
from rating.simulation import PollRules, World, named, simulate
from rating.votes import Votes
from tests.figures.sources import llmfao
from tests.figures.yardsticks import ELO_POINTS, difference_sd, differences

CLUSTERS = ("none", "voter", "prompt", "both")
CONTESTANTS, VOTES, VOTERS, PROMPTS, SPREAD = 20, 5000, 200, 100, 0.5
WORLDS = {
    "all alike": (("none", "voter"), {}),
    "tastes differ": (("none", "voter"), {"taste": SPREAD}),
    "tastes and prompts differ": (CLUSTERS, {"taste": SPREAD, "prompts": PROMPTS, "effect": SPREAD}),
}
REPEATS = 100
ELECTORATE = 2_000_000


def measure(rng: np.random.Generator) -> dict:
    """Widths on real votes, coverage on simulated ones."""
    return {
        "real": widths(),
        "repeats": REPEATS,
        "votes": VOTES,
        "voters": VOTERS,
        "prompts": PROMPTS,
        "spread": SPREAD,
        "electorate": ELECTORATE,
        "coverage": {name: _coverage(clusters, kinds, rng) for name, (clusters, kinds) in WORLDS.items()},
    }


def widths() -> dict:
    """The mean 95 % interval (points either way) and standard error of llmfao's contestants, by unit of clustering."""
    votes = llmfao()
    fit = fit_joint(votes)
    found = {cluster: _reach(fit, votes, cluster) for cluster in CLUSTERS}
    return {
        "voters": len(votes.voters),
        "prompts": len(votes.prompts),
        "half_width": {cluster: reach for cluster, (reach, _) in found.items()},
        "width_ratio": {cluster: reach / found["none"][0] for cluster, (reach, _) in found.items()},
        "error_ratio": {cluster: error / found["none"][1] for cluster, (_, error) in found.items()},
        "uncorrected_ratio": {cluster: _uncorrected(fit, votes, cluster) for cluster in ("voter", "prompt")},
    }


def _reach(fit: JointFit, votes: Votes, cluster: str) -> tuple[float, float]:
    covariance = clustered_covariance(fit, votes, cluster)
    error = float(np.sqrt(np.diag(covariance.matrix)).mean()) * ELO_POINTS
    return student.quantile(0.975, covariance.dof) * error, error


def _uncorrected(fit: JointFit, votes: Votes, cluster: str) -> float:
    """The ratio of standard errors by the plain sandwich, which takes no account of how few the clusters are."""
    scores, inverse, errors = fit.scores(votes), fit.covariance(), []
    for unit in ("none", cluster):
        codes = cluster_codes(votes, unit)
        gradients = np.zeros((codes.max() + 1, len(inverse)))
        np.add.at(gradients, (codes[scores.vote], scores.parameter), scores.value)
        moved = gradients @ inverse[:, : len(fit.contestants)]
        errors.append(float(np.sqrt((moved**2).sum(axis=0)).mean()))
    return errors[1] / errors[0]


def _world(count: int, **kinds: float) -> World:
    strengths = 0.8 * np.array([NormalDist().inv_cdf((at + 0.5) / CONTESTANTS) for at in range(CONTESTANTS)])
    return World(named(CONTESTANTS), strengths, (PollRules("duel"),), voters=count, **kinds)


def _coverage(clusters: tuple[str, ...], kinds: dict, rng: np.random.Generator) -> dict:
    """How often a 95 % interval of a pair's difference holds what an endless electorate would say."""
    # Nobody votes twice in the electorate, so its votes average over tastes and prompts.
    everybody = _world(0, **(kinds | {"prompts": 0}))
    truth = differences(fit_joint(simulate(everybody, ELECTORATE, rng), left_seat=False).estimate[:CONTESTANTS])
    held: dict[str, list[float]] = {cluster: [] for cluster in clusters}
    for _ in range(REPEATS):
        votes = simulate(_world(VOTERS, **kinds), VOTES, rng)
        fit = fit_joint(votes, left_seat=False)
        error = np.abs(differences(fit.estimate[:CONTESTANTS]) - truth)
        for cluster in clusters:
            covariance = clustered_covariance(fit, votes, cluster)
            reach = student.quantile(0.975, covariance.dof) * difference_sd(covariance.matrix)
            held[cluster].append(float(np.mean(error <= reach)))
    return {cluster: np.mean(shares) for cluster, shares in held.items()}
