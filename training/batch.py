"""What is trained on at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Batch:
    """B samples of one size, all or a part of an optimiser step's whole batch.

    Attributes:
        latents: (B, C, h, w), as the U-Net sees them.
        captions: B texts.
        time_ids: (B, 6) float32, SDXL's size numbers: original height and width, crop top and left, target height
            and width.
        post_ids: B posts.
        places: where each sample stands in the step's whole batch.
        total: samples in the step's whole batch.
        counted: false for a stand-in where a process has no sample of its own; its losses count nothing.
    """

    latents: torch.Tensor
    captions: list[str]
    time_ids: torch.Tensor
    post_ids: tuple[int, ...]
    places: tuple[int, ...]
    total: int
    counted: bool = True
