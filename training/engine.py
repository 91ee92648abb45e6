"""One optimiser step of U-Net and text encoders, or of their adapters, and all that is needed to repeat it bit for bit.

The state after step n depends on the start, the data, the settings and n alone: the noise, timesteps, order and
captions of a step come from streams named by (seed, purpose, step), so that a resumed run equals an unbroken one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from generation.loading import Parts
from training.adapters import adapters_in
from training.batch import Batch
from training.config import Preset
from training.denoiser import Denoiser
from training.ema import Ema
from training.errors import UserError
from training.memory import LESS, enough_memory
from training.noise import TIMESTEPS
from training.objective import Losses, Objective
from training.optimizers import build_optimizer
from training.processes import Alone, Processes
from training.schedule import Timeline

TIMESTEP_BUCKETS = 10  # of the log's loss by timestep: 0-99, 100-199, ...


class LossNotFinite(Exception):
    """The loss or the gradient became NaN or infinite; the weights are those before this step.

    ``posts``: those of the step's batch; ``bad``: those whose own loss is not finite, in any process.
    """

    def __init__(self, step: int, posts: Sequence[int], bad: Sequence[int]) -> None:
        named = f", not finite for {', '.join(map(str, bad))}" if bad else ""
        super().__init__(f"the loss is not finite at step {step}, posts {', '.join(map(str, posts))}{named}")
        self.step, self.posts, self.bad = step, tuple(posts), tuple(bad)


@dataclass(frozen=True)
class StepResult:
    """One finished step.

    Attributes:
        step: finished steps, this one included.
        images: samples of the step.
        size: their (height, width) in pixels.
        loss, raw_loss: mean over them, weighted (what is minimised) and as plain mean squared error.
        unet_lr, text_lr: the rates of this step.
        grad_norm: of all gradients together, before they were clipped.
        by_timestep: for ten ranges of timesteps from low to high, how many samples fell there, and the sum of their raw
            losses.
    """

    step: int
    images: int
    size: tuple[int, int]
    loss: float
    raw_loss: float
    unet_lr: float
    text_lr: float
    grad_norm: float
    by_timestep: tuple[tuple[int, float], ...]


class Trainer:
    """Trains ``parts`` in place on the micro-batches that ``batches(step)`` gives to this process."""

    def __init__(
        self,
        parts: Parts,
        preset: Preset,
        timeline: Timeline,
        batches: Callable[[int], Sequence[Batch]],
        processes: Processes | None = None,
    ) -> None:
        self.step = 0
        self.timeline = timeline
        self._optimizing, self._precision = preset.optimizer, preset.diffusion.precision
        self._batches = batches
        self._cell = parts.latent_factor
        self._processes = processes or Alone(parts.device)
        self._objective = Objective(preset.objective, preset.diffusion.seed)
        self._parts, self._denoiser = parts, Denoiser(parts, preset.diffusion.text_chunks)
        self._prepare(preset)
        self._called = self._processes.wrap(self._denoiser)
        peaks = {"unet": self._optimizing.unet_lr, "text_encoder": self._optimizing.text_lr}
        groups: list[dict[str, Any]] = [
            {"params": [p for p in module.parameters() if p.requires_grad], "lr": peaks[name.removesuffix("_2")]}
            for name, module in self._denoiser.named_children()
        ]
        learning = [group for group in groups if group["params"]]
        self._peaks: list[float] = [group["lr"] for group in learning]
        self._parameters = [p for group in learning for p in group["params"]]
        self._optimizer = build_optimizer(learning, self._optimizing)
        self._ema = Ema(self._denoiser, self._optimizing.ema)

    def _prepare(self, preset: Preset) -> None:
        """Which networks learn, in which numbers, and how their activations are kept."""
        self._adapted = bool(adapters_in(self._denoiser))
        if self._processes.shards and (self._adapted or self._optimizing.name != "adamw"):
            raise UserError(
                f"--shard takes whole weights and adamw, not {'a LoRA' if self._adapted else self._optimizing.name}"
            )
        for name, module in self._denoiser.named_children():
            module.requires_grad_(False)
            for part in adapters_in(module) if self._adapted else [module]:
                part.requires_grad_(name == "unet" or self._optimizing.text_lr > 0)
        if self._precision == "bf16_weights":
            self._denoiser.to(torch.bfloat16)
        if preset.diffusion.gradient_checkpointing:
            self._denoiser.train()  # transformers recomputes in training mode only; no layer of SDXL has dropout
            self._denoiser.unet.enable_gradient_checkpointing()
            for encoder in (self._denoiser.text_encoder, self._denoiser.text_encoder_2):
                encoder.activation_checkpointing_enable({"use_reentrant": False})

    def advance(self) -> StepResult:
        """Do one step.

        Raises:
            LossNotFinite: before the weights change.
            UserError: out of memory; the settings that need less are named.
        """
        micro_batches = self._batches(self.step)
        with enough_memory(lambda: _when(self.step, micro_batches), _less(micro_batches)):
            return self._advance(micro_batches)

    def _advance(self, micro_batches: Sequence[Batch]) -> StepResult:
        factor = self.timeline.factor(self.step)
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
        self._optimizer.zero_grad(set_to_none=True)
        found = [self._backward(batch, batch is micro_batches[-1]) for batch in micro_batches]
        sums = self._processes.total(
            torch.stack([_sums(*each) for each in zip(found, micro_batches, strict=True)]).sum(0)
        )
        most = self._optimizing.grad_clip or math.inf
        norm = self._processes.norm(torch.nn.utils.clip_grad_norm_(self._parameters, most))
        images, loss, raw, *ranges = sums.tolist()
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise self._not_finite(found, micro_batches)
        self._optimizer.step()
        self._ema.update(self._denoiser)
        self.step += 1
        return StepResult(
            self.step,
            int(images),
            self._size(micro_batches[0]),
            loss / images,
            raw / images,
            self._optimizing.unet_lr * factor,
            self._optimizing.text_lr * factor,
            norm,
            tuple((int(count), total) for count, total in zip(ranges[::2], ranges[1::2], strict=True)),
        )

    def _size(self, batch: Batch) -> tuple[int, int]:
        height, width = batch.latents.shape[-2:]
        return height * self._cell, width * self._cell

    def _backward(self, batch: Batch, last: bool) -> Losses:
        """Add the gradients of a micro-batch, so that those of a step are the gradient of its whole batch's mean."""
        autocast = torch.autocast(self._processes.device.type, torch.bfloat16)
        with self._processes.accumulating(self._denoiser, last):
            with autocast if self._precision == "bf16_autocast" else nullcontext():
                losses = self._objective(self._called, batch, self.step)
            # Processes exchange the mean of their gradients: their number makes it the sum.
            share = self._processes.world / batch.total if batch.counted else 0.0
            (losses.weighted.sum() * share).backward()
        return losses

    def _not_finite(self, found: Sequence[Losses], micro_batches: Sequence[Batch]) -> LossNotFinite:
        posts = [post for batch in micro_batches for post in batch.post_ids]
        finite = torch.cat([losses.weighted.detach().isfinite() for losses in found]).tolist()
        bad = [post for post, good in zip(posts, finite, strict=True) if not good]
        return LossNotFinite(self.step, self._processes.gathered(posts), self._processes.gathered(bad))

    @contextmanager
    def averaged(self) -> Iterator[Parts]:
        """Within the block, parts with the averaged weights, the ones that are saved and rendered."""
        with self._ema.applied(self._denoiser), self._processes.saved(self._parts, self._denoiser) as parts:
            yield parts

    def state(self) -> dict[str, Any]:
        """Weights (the adapters' where there are any), optimiser, averages and step: all that a resumed run needs."""
        weights = self._denoiser.state_dict()
        if self._adapted:
            learning = {name for name, value in self._denoiser.named_parameters() if value.requires_grad}
            weights = {name: value for name, value in weights.items() if name in learning}
        optimizer, averages = self._optimizer.state_dict(), self._ema.state()
        state = {"step": self.step, "weights": weights, "optimizer": optimizer, "averages": averages}
        whole: dict[str, Any] = self._processes.whole(state)
        return whole

    def load(self, state: dict[str, Any]) -> None:
        """Go on from ``state()``."""
        self.step = int(state["step"])
        share, own = self._processes.share, dict(self._denoiser.named_parameters())
        weights = {name: share(value, own.get(name, value)) for name, value in state["weights"].items()}
        self._denoiser.load_state_dict({**self._denoiser.state_dict(), **weights} if self._adapted else weights)
        moments = {
            number: {name: share(value, self._parameters[number]) for name, value in values.items()}
            for number, values in state["optimizer"]["state"].items()
        }
        self._optimizer.load_state_dict({**state["optimizer"], "state": moments})
        averages = {name: share(value, own[name]) for name, value in state["averages"]["averages"].items()}
        self._ema.load({**state["averages"], "averages": averages})


def _sums(losses: Losses, batch: Batch) -> torch.Tensor:
    """Samples, their weighted and raw losses, and for each range of timesteps samples and raw losses; (23,) float64."""
    counted = torch.full_like(losses.raw, float(batch.counted), dtype=torch.float64)
    raw = losses.raw.double() * counted
    each = torch.stack([counted, losses.weighted.detach().double() * counted, raw])
    ranges = torch.zeros(TIMESTEP_BUCKETS, 2, dtype=torch.float64, device=raw.device)
    ranges.index_add_(0, losses.timesteps * TIMESTEP_BUCKETS // TIMESTEPS, torch.stack([counted, raw], 1))
    return torch.cat([each.sum(1), ranges.flatten()])


def _when(step: int, micro_batches: Sequence[Batch]) -> str:
    rows, _, height, width = _largest(micro_batches)
    return f"at step {step}, {rows} samples of {width}x{height} latents at once"


def _less(micro_batches: Sequence[Batch]) -> str:
    """What needs less in a step."""
    half = max(1, _largest(micro_batches)[0] // 2)
    return f"diffusion.micro_batch = {half} (the same batch, in more parts), gradient_checkpointing = true, {LESS}"


def _largest(micro_batches: Sequence[Batch]) -> torch.Size:
    return max((batch.latents.shape for batch in micro_batches), key=math.prod)
