"""The trueskill package with its own ("internal") normal distribution."""

import trueskill

PACKAGES = ("trueskill",)


def duels(votes, size):
    environment = trueskill.TrueSkill(tau=0, draw_probability=0.1)
    votes = list(zip(*(votes[name][:size].tolist() for name in ("left", "right", "outcome")), strict=True))

    def work():
        ratings = {}
        for left, right, outcome in votes:
            winner, loser = (right, left) if outcome == 1 else (left, right)
            ratings[winner], ratings[loser] = environment.rate_1vs1(
                ratings.get(winner) or environment.create_rating(),
                ratings.get(loser) or environment.create_rating(),
                drawn=outcome == 2,
            )

    return work


def rankings(votes, size):
    environment = trueskill.TrueSkill(tau=0, draw_probability=0.1)
    votes = list(zip(votes["seats"][:size].tolist(), votes["ranks"][:size].tolist(), strict=True))

    def work():
        ratings = {}
        for seats, ranks in votes:
            groups = [(ratings.get(seat) or environment.create_rating(),) for seat in seats]
            for seat, (rating,) in zip(seats, environment.rate(groups, ranks, min_delta=1e-6), strict=True):
                ratings[seat] = rating

    return work
