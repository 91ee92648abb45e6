"""Trains the autoencoder from nothing: first plain, then with colour differences weighted up; resumable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from generation.files import whole
from training.config import Architecture, VaeConfig
from training.ema import Ema
from training.images import to_float
from training.losses import opponent, psnr, reconstruction_loss
from training.modules import build_vae
from training.noise import generator
from training.schedule import batch_rows, cosine

SAVE_EVERY = 250


@dataclass(frozen=True)
class VaeProgress:
    """Where the training stands: ``loss`` of the step, ``psnr`` in dB of held-out images at the last measurement."""

    step: int
    steps: int
    loss: float
    psnr: float


def train_vae(
    images: torch.Tensor,
    architecture: Architecture,
    config: VaeConfig,
    state_file: Path,
    report: Callable[[VaeProgress], None],
) -> AutoencoderKL:
    """Train on (N, 3, S, S) uint8 images, of which the last ``held_out`` only measure; returns the averaged weights.

    The state is written to ``state_file`` every 250 steps and taken up again from there.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator(config.seed, "vae", "weights").initial_seed())
        vae = build_vae(architecture).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=config.lr, betas=(0.9, 0.99), weight_decay=1e-4)
    ema = Ema(vae, config.ema)
    first = _resume(state_file, vae, optimizer, ema)
    held_out = to_float(images[-config.held_out :])
    quality = 0.0
    for step in range(first, config.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.lr * cosine(step, config.steps, config.warmup)
        loss = _loss(vae, _batch(images, config, step), config, step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        ema.update(vae)
        done = step + 1
        if done % SAVE_EVERY == 0 or done == config.steps:
            quality = _measured(vae, ema, held_out)
            _save(state_file, vae, optimizer, ema, done)
        if done % 50 == 0 or done == config.steps:
            report(VaeProgress(done, config.steps, loss.item(), quality))
    ema.copy_to(vae)
    return vae.eval().requires_grad_(False)


def _batch(images: torch.Tensor, config: VaeConfig, step: int) -> torch.Tensor:
    """(B, 3, S, S) float images of ``step``; half of them mirrored."""
    rows = [row for _, row in batch_rows(config.seed, step, config.batch, len(images) - config.held_out)]
    batch = to_float(images[rows])
    mirrored = torch.rand(len(rows), generator=generator(config.seed, "vae", "mirror", step)) < 0.5
    batch = torch.where(mirrored[:, None, None, None], batch.flip(-1), batch)
    return batch.to(memory_format=torch.channels_last)


def _loss(vae: AutoencoderKL, batch: torch.Tensor, config: VaeConfig, step: int) -> torch.Tensor:
    posterior = vae.encode(batch).latent_dist
    random = generator(config.seed, "vae", "posterior", step)
    output = vae.decode(posterior.mean + posterior.std * torch.randn(posterior.mean.shape, generator=random)).sample
    kl = 0.5 * (posterior.mean.square() + posterior.var - 1 - posterior.logvar).mean()
    if step >= config.plain_share * config.steps:
        output, batch = opponent(output, config.chroma_weight), opponent(batch, config.chroma_weight)
    return reconstruction_loss(output, batch, config.gradient_weight, config.coarse_weight) + config.kl_weight * kl


@torch.no_grad()
def reconstruct(vae: AutoencoderKL, images: torch.Tensor, batch: int = 64) -> torch.Tensor:
    """``images`` (N, 3, S, S) in -1..1 through the posterior mean and back, same shape."""
    parts = [vae.decode(vae.encode(part).latent_dist.mean).sample for part in images.split(batch)]
    return torch.cat(parts)


def _measured(vae: AutoencoderKL, ema: Ema, images: torch.Tensor) -> float:
    """PSNR of held-out ``images`` under the averaged weights."""
    with ema.applied(vae):
        return psnr(reconstruct(vae, images), images)


def _save(path: Path, vae: AutoencoderKL, optimizer: torch.optim.Optimizer, ema: Ema, step: int) -> None:
    state = {"step": step, "vae": vae.state_dict(), "optimizer": optimizer.state_dict(), "ema": ema.state()}
    with whole(path) as partial:
        torch.save(state, partial)


def _resume(path: Path, vae: AutoencoderKL, optimizer: torch.optim.Optimizer, ema: Ema) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    vae.load_state_dict(state["vae"])
    optimizer.load_state_dict(state["optimizer"])
    ema.load(state["ema"])
    return int(state["step"])
