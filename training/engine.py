"""One optimiser step of the U-Net and both text encoders, and everything needed to repeat it bit for bit.

The state after step n depends on the start, the data, the settings and n alone: the noise, timesteps, order and
captions of a step come from streams named by (seed, purpose, step), so that a resumed run equals an unbroken one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from generation.conditioning import encode_text, time_ids
from generation.loading import Parts
from training.config import DiffusionConfig
from training.data import Batch
from training.ema import Ema
from training.losses import epsilon_loss, snr, weights
from training.noise import TIMESTEPS, add_noise, alphas_cumprod, generator
from training.schedule import cosine

TRAINED = ("unet", "text_encoder", "text_encoder_2")
BETAS = (0.9, 0.99)


class LossNotFinite(Exception):
    """The loss became NaN or infinite; the weights are those before this step."""

    def __init__(self, step: int) -> None:
        super().__init__(f"the loss is not finite at step {step}")
        self.step = step


@dataclass(frozen=True)
class StepResult:
    """``step`` counts finished steps; ``loss`` is weighted, ``raw_loss`` the plain mean squared error."""

    step: int
    loss: float
    raw_loss: float
    unet_lr: float


class Trainer:
    """Trains ``parts`` in place on the batches that ``batches(step)`` gives."""

    def __init__(self, parts: Parts, config: DiffusionConfig, batches: Callable[[int], Batch]) -> None:
        self.parts = parts
        self.config = config
        self.step = 0
        self._batches = batches
        self._alphas = alphas_cumprod()
        self._modules: dict[str, Any] = {name: getattr(parts, name).requires_grad_(True) for name in TRAINED}
        self._peaks = [config.unet_lr, config.text_lr, config.text_lr]
        self._parameters = [list(module.parameters()) for module in self._modules.values()]
        self._optimizer = torch.optim.AdamW(
            [{"params": group, "lr": peak} for group, peak in zip(self._parameters, self._peaks, strict=True)],
            betas=BETAS,
            weight_decay=config.weight_decay,
        )
        self._emas = {name: Ema(module, config.ema) for name, module in self._modules.items()}

    def advance(self) -> StepResult:
        """Do one step.

        Raises:
            LossNotFinite: before the weights change.
        """
        factor = cosine(self.step, self.config.steps, self.config.warmup)
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
        loss, raw = self._loss(self._batches(self.step))
        if not math.isfinite(loss.item()):
            raise LossNotFinite(self.step)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for group in self._parameters for p in group], self.config.grad_clip)
        self._optimizer.step()
        for name, ema in self._emas.items():
            ema.update(self._modules[name])
        self.step += 1
        return StepResult(self.step, loss.item(), raw.item(), self.config.unet_lr * factor)

    def _loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        rows, pixels = len(batch.captions), batch.latents.shape[-1] * self.parts.latent_factor
        random = generator(self.config.seed, "diffusion", self.step)
        timesteps = torch.randint(TIMESTEPS, (rows,), generator=random)
        noised = add_noise(
            batch.latents,
            timesteps,
            random,
            offset=self.config.noise_offset,
            perturbation=self.config.input_perturbation,
        )
        text = encode_text(self.parts, batch.captions)
        output = self.parts.unet(
            noised.noisy,
            noised.timesteps,
            text.hidden,
            encoder_attention_mask=text.mask if self.parts.info.pad_mask else None,
            added_cond_kwargs={"text_embeds": text.pooled, "time_ids": time_ids(pixels, pixels, rows)},
        ).sample
        weight = weights(self.config.weighting, snr(self._alphas, timesteps), self.config.min_snr_gamma)
        return epsilon_loss(output, noised.target, weight)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within the block the parts hold the averaged weights, the ones that are saved and rendered."""
        with ExitStack() as stack:
            for name, ema in self._emas.items():
                stack.enter_context(ema.applied(self._modules[name]))
            yield

    def state(self) -> dict[str, Any]:
        """Weights, optimiser, averages and step: all that a resumed run needs."""
        return {
            "step": self.step,
            "weights": {name: module.state_dict() for name, module in self._modules.items()},
            "optimizer": self._optimizer.state_dict(),
            "averages": {name: ema.state() for name, ema in self._emas.items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from ``state()``."""
        self.step = int(state["step"])
        self._optimizer.load_state_dict(state["optimizer"])
        for name, module in self._modules.items():
            module.load_state_dict(state["weights"][name])
            self._emas[name].load(state["averages"][name])
