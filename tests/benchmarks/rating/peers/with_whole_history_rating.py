"""whole-history-rating: ten Newton iterations over some duels on 100 days."""

from whr import WHR

PACKAGES = ("whole-history-rating",)


def history(votes, size):
    step = len(votes["day"]) // size
    columns = (votes[name][::step][:size].tolist() for name in ("left", "right", "outcome", "day"))
    games = [f"{left} {right} {'BWD'[which]} {day}" for left, right, which, day in zip(*columns, strict=True)]

    def work():
        rating = WHR()
        rating.load_games(games)
        rating.iterate(10)

    return work
