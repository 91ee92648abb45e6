"""openskill's Plackett-Luce system (Weng and Lin 2011)."""

from openskill.models import PlackettLuce

PACKAGES = ("openskill",)


def duels(votes, size):
    places = [[0, 1], [1, 0], [0, 0]]
    seats = zip(votes["left"][:size].tolist(), votes["right"][:size].tolist(), strict=True)
    return _rated(list(zip(seats, (places[outcome] for outcome in votes["outcome"][:size].tolist()), strict=True)))


def rankings(votes, size):
    return _rated(list(zip(votes["seats"][:size].tolist(), votes["ranks"][:size].tolist(), strict=True)))


def _rated(votes):
    def work():
        system, ratings = PlackettLuce(), {}
        for seats, ranks in votes:
            teams = [[ratings.get(seat) or system.rating()] for seat in seats]
            for seat, (rating,) in zip(seats, system.rate(teams, ranks=ranks), strict=True):
                ratings[seat] = rating

    return work
