"""arena-rank (JAX): the Bradley-Terry fit with its sandwich intervals, counting included."""

import pandas
from arena_rank.models.bradley_terry import BradleyTerry
from arena_rank.utils.data_utils import PairDataset

PACKAGES = ("arena-rank", "jax")


def fit(votes, size):
    score = (1.0, 0.0, 0.5)
    frame = pandas.DataFrame(
        {
            "model_a": votes["left"][:size],
            "model_b": votes["right"][:size],
            "winner": [score[outcome] for outcome in votes["outcome"][:size].tolist()],
        }
    )

    def work():
        dataset = PairDataset.from_pandas(frame, outcome_map=float)
        BradleyTerry(n_competitors=20).compute_ratings_and_cis(dataset)

    return work
