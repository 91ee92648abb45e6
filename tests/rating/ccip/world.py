"""Scores of two checkpoints whose true difference is known: simulated image by image, no net involved.

The world of the specification: a character is harder or easier (sd 0.05), suits one checkpoint more than the other
(0.02), a prompt and seed turn out well or badly for both (0.03), and so does every single image (0.05).
"""

import numpy as np

from rating.ccip import CheckpointScore, Estimate, ImageScore, Key

BASE = 0.3
CHARACTER, INTERACTION, SEED, IMAGE = 0.05, 0.02, 0.03, 0.05
NOTHING = Estimate(0.0, None, None, "none")


def images(rng: np.random.Generator, characters: int, seeds: int, difference: float) -> np.ndarray:
    """(2, characters, seeds) mean differences of the images of A and B; B is higher by `difference` on average."""
    shape = (characters, seeds)
    shared = rng.normal(0, CHARACTER, (characters, 1)) + rng.normal(0, SEED, shape)
    own = rng.normal(0, INTERACTION, (2, characters, 1)) + rng.normal(0, IMAGE, (2, *shape))
    return BASE + shared + own + np.array([0.0, difference])[:, None, None]


def score_of(name: str, values: np.ndarray, *, suite: str = "suite", encoder: str = "encoder") -> CheckpointScore:
    """A score of these differences (characters, seeds), with nothing else that a comparison looks at."""
    rows = [
        ImageScore(Key(f"c{at:03}", "p", seed), "", float(value), float(value <= BASE), float(value), "")
        for (at, seed), value in np.ndenumerate(values)
    ]
    return CheckpointScore(
        checkpoint=name, suite=suite, encoder=encoder, encoder_name="tiny", notice="", threshold=BASE,
        threshold_source="metrics.json", level=0.95, difference=NOTHING, same_rate=NOTHING, nearest=0.0, top1=None,
        reference_difference=0.0, reference_same_rate=0.0, floor_difference=None, floor_same_rate=None,
        same_ratio=None, characters=(), images=tuple(rows), missing=(), leaks=(), duplicates=(),
    )  # fmt: skip
