"""choix: the maximum-likelihood Plackett-Luce fit by iterated Luce spectral ranking."""

import choix
import numpy

PACKAGES = ("choix",)


def fit(votes, size):
    order = numpy.argsort(votes["ranks"][:size], axis=1)
    rankings = numpy.take_along_axis(votes["seats"][:size], order, axis=1).tolist()
    return lambda: choix.ilsr_rankings(20, rankings)
