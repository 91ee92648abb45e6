"""The share of each pair in the error, and what is refused; with an arena: test_stop_when_worse.py."""

import pytest

from training.errors import UserError
from training.preference import Estimate, Preferred, level_of


def test_each_pair_of_epochs_has_its_share_of_the_error() -> None:
    assert level_of(0.95, 4) == pytest.approx(1 - 0.05 / 6)
    assert level_of(0.9, 2) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("confidence", "epochs", "message"),
    [
        (1.0, 4, "give a confidence from 0.5 to below 1"),
        (0.2, 4, "such as 0.95"),
        (0.99, 20, r"too high for 20 epochs \(190 pairs\): 0.9810 at most"),
        (0.95, 200, r"no confidence: train fewer epochs at a time"),
    ],
)
def test_a_confidence_that_cannot_be_is_refused(confidence: float, epochs: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        level_of(confidence, epochs)


def test_the_message_names_epochs_probability_and_votes() -> None:
    found = Preferred(2, 3, 40, 12, draws=3, e_value=950.0, estimate=Estimate(0.99987, 143.2, 12.4, votes=212))
    assert str(found) == (
        "people prefer epoch 2 to epoch 3: it is better with probability 0.9999, by 143 Elo points (12 or more at all "
        "times), 212 votes, direct duels 40 to 12 and 3 draws"
    )


def test_an_epoch_that_lost_every_vote_is_told_by_its_duels() -> None:
    found = Preferred(2, 3, 21, 0, draws=0, e_value=312.4, estimate=None)
    assert str(found) == (
        "people prefer epoch 2 to epoch 3: direct duels 21 to 0, 312 times as likely as between equals"
    )
