"""What a run that erases or enhances a concept teaches (docs/leco.md). No torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from training.lora_config import LoraConfig

ACTIONS = {"erase": -1.0, "enhance": 1.0}


@dataclass(frozen=True)
class LecoConfig:
    """What is taught.

    Attributes:
        concept: the prompt whose answer changes.
        action: ``erase`` moves it away from the positive prompt, ``enhance`` towards it.
        neutral: the prompt that the answer starts from.
        positive: the prompt that gives the direction; empty stands for the concept.
        unconditional: the prompt that the direction is measured from.
        guidance: g, how far along it.
        preserve: prompts whose answers are held where they are.
        steps, batch, lr: of AdamW; the rate falls to zero by one half cosine.
        size: pixels of a side of the square that is denoised.
        seed: of everything random.
        lora: the adapters.

    Raises:
        ValueError: a value outside its range.
    """

    concept: str
    action: str = "erase"
    neutral: str = ""
    positive: str = ""
    unconditional: str = ""
    guidance: float = 1.0
    preserve: tuple[str, ...] = ()
    steps: int = 500
    batch: int = 1
    lr: float = 1e-4
    size: int = 1024
    seed: int = 0
    lora: LoraConfig = field(default_factory=lambda: LoraConfig(rank=4, targets=("cross_attention",)))

    def __post_init__(self) -> None:
        if not self.concept.strip():
            raise ValueError("the concept is empty: write the tags that are to change")
        if self.action not in ACTIONS:
            raise ValueError(f"action must be one of {', '.join(ACTIONS)}, got {self.action!r}")
        for name in ("steps", "batch", "size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("guidance", "lr"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
