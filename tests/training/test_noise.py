import torch

from training.noise import generator


def test_streams_repeat_and_differ() -> None:
    def draw(*path: int | str) -> list[float]:
        return torch.randn(3, generator=generator(0, *path)).tolist()

    assert draw("a", 1) == draw("a", 1)
    assert draw("a", 1) != draw("a", 2) != draw("b", 1)
