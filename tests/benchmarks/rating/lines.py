"""The lines of the table: what is raced, against whom, on how many votes, and which ratio is demanded.

A peer whose cost is the same for each vote (or resample) gets fewer of them, so that a run takes about a second.
"""

from tests.benchmarks.rating.race import Entrant, Limit, Race, Rival

US, MS = "µs a vote", "ms a resample"


def _ours(name: str, where: str, size: int) -> Entrant:
    module, function = where.split(".")
    return Entrant(name, f"ours.{module}", function, size)


def _peer(name: str, function: str, size: int) -> Entrant:
    return Entrant(name, f"peers.with_{name.split()[0].strip(',').replace('-', '_')}", function, size)


RACES = (
    Race(
        "TrueSkill, duels with draws", "duels", US,
        pure=_ours("pure", "sequential.trueskill_duels", 100_000),
        fast=_ours("numba", "with_numba.trueskill_duels", 1_000_000),
        rivals=(
            Rival(_peer("trueskill", "duels", 2_000), pure=100, fast=1500),
            Rival(_peer("openskill PlackettLuce", "duels", 10_000), pure=10, fast=200),
        ),
    ),
    Race(
        "Elo, duels with draws", "duels", US,
        pure=_ours("pure", "sequential.elo", 1_000_000),
        fast=_ours("numba", "with_numba.elo", 10_000_000),
        rivals=(
            Rival(_peer("evalica", "elo", 1_000_000), pure=2, fast=30),
            Rival(_peer("evalica, ready indices", "elo_of_indices", 1_000_000)),
            Rival(_peer("fschat", "elo", 100_000), pure=8),
        ),
    ),
    Race(
        "Elo with its time-weighted average", "duels", US,
        pure=_ours("pure", "sequential.elo_with_average", 1_000_000),
        fast=_ours("numba", "with_numba.elo_with_average", 10_000_000),
        rivals=(Rival(_peer("evalica, no average", "elo", 1_000_000)),),
    ),
    Race(
        "TrueSkill, rankings of four with ties", "rankings", US,
        pure=_ours("pure", "sequential.trueskill_rankings", 5_000),
        fast=_ours("numba", "with_numba.trueskill_rankings", 100_000),
        rivals=(
            Rival(_peer("trueskill", "rankings", 500), pure=10, fast=150),
            Rival(_peer("openskill PlackettLuce", "rankings", 5_000), fast=10),
            Rival(_peer("elo-mmr TrueSkill-SPb", "rankings", 5_000), fast=8),
        ),
    ),
    Race(
        "Bradley-Terry fit, counting included", "duels", US,
        pure=_ours("pure", "fits.bradley_terry", 1_000_000),
        rivals=(
            Rival(_peer("evalica", "fit", 1_000_000), pure=8),
            Rival(_peer("fschat", "fit", 1_000_000), pure=30),
            Rival(_peer("arena-rank", "fit", 1_000_000), pure=40),
        ),
    ),
    Race(
        "Bradley-Terry bootstrap of 100,000 votes", "duels", MS,
        pure=_ours("pure", "resampling.bootstrap", 1_000),
        rivals=(
            Rival(_peer("arenakit", "bootstrap", 100), pure=25),
            Rival(_peer("fschat", "bootstrap", 2), pure=100),
            Rival(_peer("evalica", "bootstrap", 8), pure=200),
        ),
    ),
    Race(
        "Plackett-Luce fit, rankings of four", "strict", US,
        pure=_ours("pure", "fits.plackett_luce", 100_000),
        fast=_ours("numba", "with_numba.plackett_luce", 100_000),
        rivals=(Rival(_peer("choix ilsr", "fit", 10_000), pure=5, fast=30),),
    ),
    Race(
        "history of 100 days", "duels", US,
        pure=_ours("pure", "smoothing.history", 1_000_000),
        rivals=(
            Rival(_peer("trueskillthroughtime, 5 sweeps", "history", 1_000), pure=500),
            Rival(_peer("whole-history-rating, 10 steps", "history", 1_000), pure=500),
        ),
    ),
)  # fmt: skip

LIMITS = (
    Limit("choice of a matchup among 100 contestants", "duels", "ms", _ours("pure", "matchups.choice", 1), 2.0),
    Limit("python -m rating fit, elo, 100,000 votes, cold", "duels", "s", _ours("pure", "command.elo", 1), 1.0),
    Limit(
        "python -m rating fit, trueskill, 100,000 votes, cold", "duels", "s", _ours("pure", "command.trueskill", 1), 1.0
    ),
    Limit(
        "python -m rating fit, trueskill2, 100,000 votes, cold",
        "duels",
        "s",
        _ours("pure", "command.trueskill2", 1),
        1.0,
    ),
    Limit("python -m rating fit, joint, 100,000 votes, cold", "duels", "s", _ours("pure", "command.joint", 1), 1.0),
    Limit("memory: fit, elo, 10 million votes", "duels", "MB", _ours("pure", "memory.elo", 1), 1500.0),
    Limit("memory: fit, trueskill, 10 million votes", "duels", "MB", _ours("pure", "memory.trueskill", 1), 1500.0),
    Limit("memory: fit, trueskill2, 10 million votes", "duels", "MB", _ours("pure", "memory.trueskill2", 1), 1500.0),
    Limit("memory: fit, joint, 10 million votes", "duels", "MB", _ours("pure", "memory.joint", 1), 1500.0),
)
