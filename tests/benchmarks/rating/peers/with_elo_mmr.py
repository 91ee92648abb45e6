"""elo-mmr-py: its TrueSkill ("TrueSkill-SPb") in Rust on ready contests."""

from elo_mmr_py import Contest, rate_latest

PACKAGES = ("elo-mmr-py",)


def rankings(votes, size):
    contests = []
    for at, (seats, ranks) in enumerate(
        zip(votes["seats"][:size].tolist(), votes["ranks"][:size].tolist(), strict=True)
    ):
        standings = []
        for rank, seat in sorted(zip(ranks, seats, strict=True)):
            low = sum(other < rank for other in ranks)
            standings.append((f"contestant-{seat:02d}", low, low + ranks.count(rank) - 1))
        contests.append(Contest(standings=standings, time_seconds=at))
    return lambda: rate_latest(contests=contests, system="trueskill")
