"""trueskillthroughtime: five sweeps over the history of some duels on 100 days."""

from trueskillthroughtime import History

PACKAGES = ("trueskillthroughtime",)


def history(votes, size):
    step = len(votes["day"]) // size
    left, right, outcome, day = (votes[name][::step][:size].tolist() for name in ("left", "right", "outcome", "day"))
    duels = [[[str(one)], [str(other)]] for one, other in zip(left, right, strict=True)]
    results = [[(1, 0), (0, 1), (0, 0)][which] for which in outcome]

    def work():
        history = History(duels, results=results, times=day, sigma=1.6, gamma=0.036, p_draw=0.072)
        history.convergence(iterations=5, verbose=False)

    return work
