"""The trained networks as one module: captions, sizes and noisy latents in, the U-Net's answer out."""

from __future__ import annotations

import torch

from generation.conditioning import encode_text
from generation.loading import Parts
from training.batch import Batch

TRAINED = ("unet", "text_encoder", "text_encoder_2")


class Denoiser(torch.nn.Module):
    """U-Net and both text encoders of ``parts``, which stay the modules they are and change when this is trained.

    Padding is hidden from cross-attention where ``parts.info.pad_mask`` says so, for every caption alike, the empty
    ones of classifier-free guidance included. A caption may fill ``chunks`` times the text encoders' positions, and all
    captions get as many, so that a sample does not depend on its neighbours.
    """

    def __init__(self, parts: Parts, chunks: int = 1) -> None:
        super().__init__()
        self.unet, self.text_encoder, self.text_encoder_2 = (getattr(parts, name) for name in TRAINED)
        self._parts, self._chunks = parts, chunks

    def forward(self, noisy: torch.Tensor, timesteps: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The answer (B, C, h, w), float32, to noisy latents of that shape at ``timesteps`` (B,)."""
        text = encode_text(self._parts, batch.captions, self._chunks)
        output = self.unet(
            noisy.to(self._parts.dtype),
            timesteps,
            text.hidden,
            encoder_attention_mask=text.mask if self._parts.info.pad_mask else None,
            added_cond_kwargs={"text_embeds": text.pooled, "time_ids": batch.time_ids},
        ).sample
        answer: torch.Tensor = output.float()
        return answer
