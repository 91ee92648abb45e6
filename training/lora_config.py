"""Which layers of a checkpoint a LoRA changes, and how wide it is. No torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

ENCODERS = ("text_encoder", "text_encoder_2")
# Components, and how the names of their layers end: those that kohya's trainer takes, and the convolutions beside them.
TARGETS = {
    "attention": (("unet",), r"\.attn[12]\.to_(q|k|v|out\.0)"),
    "cross_attention": (("unet",), r"\.attn2\.to_(q|k|v|out\.0)"),
    "feed_forward": (("unet",), r"\.ff\.net\.(0\.proj|2)"),
    "projection": (("unet",), r"\.proj_(in|out)"),
    "conv": (("unet",), r"\.(conv[12]|conv_shortcut|(down|up)samplers\.0\.conv)"),
    "text": (ENCODERS, r"\.(self_attn\.(q|k|v|out)_proj|mlp\.fc[12])"),
}
MAX_RANK = 1024


@dataclass(frozen=True)
class LoraConfig:
    """A LoRA's layers and width.

    Attributes:
        rank: rows of down and columns of up, 1..1024.
        alpha: up(down(x)) is scaled by alpha / rank; 0 stands for the rank, a scale of 1.
        targets: names of `TARGETS`.

    Raises:
        ValueError: a value outside its range.
    """

    rank: int = 16
    alpha: float = 0.0
    targets: tuple[str, ...] = ("attention", "feed_forward", "projection", "text")

    def __post_init__(self) -> None:
        unknown = sorted(set(self.targets) - set(TARGETS))
        if unknown or not self.targets:
            raise ValueError(f"targets must be some of {', '.join(TARGETS)}, got {', '.join(unknown) or 'none'}")
        if not 1 <= self.rank <= MAX_RANK:
            raise ValueError(f"rank must be from 1 to {MAX_RANK}, got {self.rank}")
        if not 0 <= self.alpha < math.inf:
            raise ValueError(f"alpha must be at least 0, got {self.alpha:g}")

    @property
    def effective_alpha(self) -> float:
        """Alpha, the rank where it is 0."""
        return self.alpha or float(self.rank)
