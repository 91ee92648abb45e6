"""The work of training on one image, counted by torch on the meta device, and what devices can do (docs/throughput.md).

A multiplication and an addition are two FLOPs. Counted are matrix products, convolutions and attention, as torch's
`FlopCounterMode` does; the rest is below a hundredth.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from generation.loading import Parts

TERA = 1e12
TIME_IDS = 6
# Dense bfloat16 tensor-core TFLOP/s of the makers' data sheets; the first name that is part of the device's counts.
PEAKS = (
    ("H100 PCIe", 756.0),
    ("H100 NVL", 835.0),
    ("H100", 989.0),
    ("H200", 989.0),
    ("A100", 312.0),
    ("L40S", 362.0),
    ("RTX 4090", 165.0),
    ("RTX 3090", 71.0),
)


def peak_of(device_name: str) -> float | None:
    """Peak TFLOP/s of a device by torch's name for it; None for one that is not in the table, such as a processor."""
    return next((peak for name, peak in PEAKS if name in device_name), None)


def counted(work: Callable[[], object]) -> int:
    """FLOPs of what ``work`` does with torch."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def unet_flops(unet: Any, height: int, width: int, tokens: int, *, backward: bool, frozen: bool = False) -> int:
    """FLOPs of one U-Net pass (and its backward pass) over a latent of ``height`` x ``width`` cells.

    ``unet`` lies on the meta device. ``frozen``: its own weights learn nothing, as beside a LoRA, so that the backward
    pass is that of the activations alone.
    """
    unet.requires_grad_(not frozen)
    config = unet.config
    pooled = config.projection_class_embeddings_input_dim - TIME_IDS * config.addition_time_embed_dim
    shapes = {"latent": (1, config.in_channels, height, width), "hidden": (1, tokens, config.cross_attention_dim),
              "pooled": (1, pooled), "ids": (1, TIME_IDS)}  # fmt: skip
    made = {name: torch.empty(shape, device="meta", requires_grad=frozen) for name, shape in shapes.items()}

    def work() -> None:
        more = {"text_embeds": made["pooled"], "time_ids": made["ids"]}
        timestep = torch.zeros((1,), dtype=torch.long, device="meta")
        sample = unet(made["latent"], timestep, made["hidden"], added_cond_kwargs=more).sample
        if backward:
            sample.sum().backward()

    return counted(work)


def text_flops(encoder: Any, *, backward: bool, frozen: bool = False) -> int:
    """FLOPs of one prompt through a text encoder of the meta device, and back; ``frozen`` as in `unet_flops`."""
    encoder.requires_grad_(not frozen).get_input_embeddings().requires_grad_(True)
    ids = torch.zeros((1, encoder.config.max_position_embeddings), dtype=torch.long, device="meta")

    def work() -> None:
        output = encoder(ids)[0]
        if backward:
            output.sum().backward()

    return counted(work)


def vae_flops(vae: Any, height: int, width: int) -> int:
    """FLOPs of encoding one image of ``height`` x ``width`` pixels by an autoencoder of the meta device."""
    pixels = torch.empty((1, 3, height, width), device="meta")
    with torch.no_grad():
        return counted(lambda: vae.encode(pixels))


class ImageWork:
    """What one image costs to train on, forward and backward; its latents are there.

    ``text``: both text encoders learn as well; captions fill their positions ``chunks`` times. ``frozen``: what learns
    is a LoRA beside the weights, whose own few hundredths do not count. Activations that are computed a second time
    (gradient checkpointing) do not count either: they are not the model's work.
    """

    def __init__(self, parts: Parts, *, text: bool, chunks: int = 1, frozen: bool = False) -> None:
        self._parts, self._text, self._chunks, self._frozen = parts, text, chunks, frozen
        self.tflop = lru_cache(None)(self._tflop)

    @cached_property
    def _meta(self) -> dict[str, Any]:
        parts = self._parts
        with torch.device("meta"):
            return {
                "unet": type(parts.unet).from_config(parts.unet.config),
                "text": [type(encoder)(encoder.config) for encoder in (parts.text_encoder, parts.text_encoder_2)],
            }

    def _tflop(self, height: int, width: int) -> float:
        """10^12 FLOPs of an image of so many pixels."""
        cells = height // self._parts.latent_factor, width // self._parts.latent_factor
        tokens = self._chunks * self._parts.max_tokens
        unet = unet_flops(self._meta["unet"], *cells, tokens, backward=True, frozen=self._frozen)
        texts = (text_flops(one, backward=self._text, frozen=self._frozen) for one in self._meta["text"])
        return (unet + self._chunks * sum(texts)) / TERA
