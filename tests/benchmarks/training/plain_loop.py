"""A plain SDXL training loop of diffusers' parts, as its documentation puts them together ("Text-to-image", "SDXL").

Every step: pixels from a DataLoader through the autoencoder, captions through both text encoders, noise of the
scheduler, the U-Net, mean squared error, AdamW with a cosine, diffusers' own averages. Written here from the documented
calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from PIL import Image
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer


@dataclass(frozen=True)
class Recipe:
    """What both loops are to do alike."""

    batch: int
    steps: int
    lr: float
    betas: tuple[float, float]
    weight_decay: float
    ema: float
    grad_clip: float


class Pictures(Dataset[tuple[torch.Tensor, str]]):
    """Files and their captions; pixels (3, H, W) in [-1, 1]."""

    def __init__(self, files: list[Path], captions: list[str]) -> None:
        self.files, self.captions = files, captions

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, str]:
        with Image.open(self.files[place]) as image:
            pixels = np.asarray(image.convert("RGB"))
        return torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 127.5 - 1, self.captions[place]


class PlainLoop:
    """The loop's parts; `step` does one step and returns its loss."""

    def __init__(self, base: Path, recipe: Recipe) -> None:
        self.recipe = recipe
        self.vae = AutoencoderKL.from_pretrained(base, subfolder="vae", torch_dtype=torch.float32)
        self.text = CLIPTextModel.from_pretrained(base, subfolder="text_encoder", dtype=torch.float32)
        self.text_2 = CLIPTextModelWithProjection.from_pretrained(base, subfolder="text_encoder_2", dtype=torch.float32)
        self.unet = UNet2DConditionModel.from_pretrained(base, subfolder="unet", torch_dtype=torch.float32)
        self.tokenizers = [CLIPTokenizer.from_pretrained(base, subfolder=name) for name in ("tokenizer", "tokenizer_2")]
        self.scheduler = DDPMScheduler.from_pretrained(base, subfolder="scheduler")
        for frozen in (self.vae, self.text, self.text_2):
            frozen.requires_grad_(False)
        self.unet.train()
        self.mean, self.std = (torch.tensor(values).view(1, -1, 1, 1)
                               for values in (self.vae.config.latents_mean, self.vae.config.latents_std))  # fmt: skip
        self.optimizer = torch.optim.AdamW(
            self.unet.parameters(), lr=recipe.lr, betas=recipe.betas, weight_decay=recipe.weight_decay
        )
        self.rate = get_scheduler(
            "cosine", self.optimizer, num_warmup_steps=0, num_training_steps=recipe.steps
        )  # fmt: skip
        self.averages = EMAModel(self.unet.parameters(), decay=recipe.ema)

    def loader(self, pictures: Pictures, seed: int) -> Iterator[tuple[torch.Tensor, list[str]]]:
        """Shuffled batches, pass after pass."""
        order = torch.Generator().manual_seed(seed)
        batches = DataLoader(pictures, self.recipe.batch, shuffle=True, drop_last=True, generator=order)
        while True:
            yield from batches

    @torch.no_grad()
    def encode_text(self, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Both encoders' penultimate states side by side, and the second's pooled text."""
        hidden, pooled = [], torch.empty(0)
        for tokenizer, encoder in zip(self.tokenizers, (self.text, self.text_2), strict=True):
            most = encoder.config.max_position_embeddings
            tokens = tokenizer(captions, padding="max_length", max_length=most, truncation=True, return_tensors="pt")
            output = encoder(tokens.input_ids, output_hidden_states=True)
            hidden.append(output.hidden_states[-2])
            pooled = output[0]
        return torch.cat(hidden, dim=-1), pooled

    @torch.no_grad()
    def encode_pixels(self, pixels: torch.Tensor) -> torch.Tensor:
        """Latents as the U-Net knows them; the mean, since that is what the other trainer keeps."""
        return (self.vae.encode(pixels).latent_dist.mean - self.mean) / self.std

    def step(
        self, pixels: torch.Tensor, captions: list[str], drawn: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> float:
        """One optimiser step; ``drawn`` are noise and timesteps where they are not to be random."""
        latents = self.encode_pixels(pixels)
        hidden, pooled = self.encode_text(captions)
        noise = torch.randn_like(latents) if drawn is None else drawn[0]
        timesteps = torch.randint(0, 1000, (len(captions),)) if drawn is None else drawn[1]
        noisy = self.scheduler.add_noise(latents, noise, timesteps)
        height, width = pixels.shape[-2:]
        sizes = torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32).repeat(len(captions), 1)
        conditions = {"text_embeds": pooled, "time_ids": sizes}
        found = self.unet(noisy, timesteps, hidden, added_cond_kwargs=conditions).sample
        loss = functional.mse_loss(found.float(), noise.float())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.unet.parameters(), self.recipe.grad_clip)
        self.optimizer.step()
        self.rate.step()
        self.optimizer.zero_grad()
        self.averages.step(self.unet.parameters())
        return loss.item()
