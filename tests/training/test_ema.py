import pytest
import torch

from training.ema import Ema


def one(value: float) -> torch.nn.Module:
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(layer.weight, value)
    return layer


def test_average_by_hand() -> None:
    layer = one(0.0)
    ema = Ema(layer, decay=0.5)
    torch.nn.init.constant_(layer.weight, 1.0)
    ema.update(layer)  # decay min(.5, 1/10): 0 * .1 + 1 * .9
    ema.update(layer)  # decay min(.5, 2/11)
    expected = 0.9 * (2 / 11) + 1 * (9 / 11)
    assert ema.averages["weight"].item() == pytest.approx(expected)


def test_decay_is_bounded_by_the_setting() -> None:
    layer = one(1.0)
    ema = Ema(layer, decay=0.5)
    ema.updates = 1000
    torch.nn.init.constant_(layer.weight, 3.0)
    ema.update(layer)
    assert ema.averages["weight"].item() == pytest.approx(2.0)


def test_own_weights_return_after_the_block() -> None:
    layer = one(2.0)
    ema = Ema(layer, decay=0.9)
    torch.nn.init.constant_(layer.weight, 4.0)
    with ema.applied(layer):
        assert layer.weight.item() == 2.0
    assert layer.weight.item() == 4.0


def test_state_goes_on_where_it_was() -> None:
    layer = one(1.0)
    ema, other = Ema(layer, 0.9), Ema(one(5.0), 0.9)
    ema.update(layer)
    other.load(ema.state())
    assert (other.updates, other.averages["weight"].item()) == (1, 1.0)
