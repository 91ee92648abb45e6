"""Erase or enhance a concept: adapters learn to answer its prompt as the checkpoint answers another direction.

    eps_LoRA(x_t, c)  <-  eps(x_t, neutral) -/+ g (eps(x_t, positive) - eps(x_t, unconditional))

ESD (Gandikota et al. 2023, arXiv:2303.07345, equation 7) for a LoRA alone; no pictures are needed. docs/leco.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from generation.conditioning import TextCondition, encode_text, time_ids
from generation.loading import Parts
from generation.samplers import make_schedule, sample_euler
from training.adapters import Adapters
from training.leco_config import ACTIONS, LecoConfig
from training.noise import generator
from training.schedule import annealed

DENOISE_STEPS = 50
WALK = DENOISE_STEPS - 1  # states of a walk: after 1 to 49 of the 50 steps
SAMPLE_CFG = 3.0
HELD_OUT = 2**40  # the walk that measures: no training gets there


class LossNotFinite(Exception):
    """The loss became NaN or infinite; the weights are those before this step."""


@dataclass(frozen=True)
class States:
    """What the U-Net takes: ``x`` (B, C, h, w), sqrt(abar) x0 + sqrt(1 - abar) eps, at ``timesteps`` (B,)."""

    x: torch.Tensor
    timesteps: torch.Tensor


class Leco:
    """Trains adapters of ``parts`` on one concept; the checkpoint's own weights stay. Epsilon prediction only."""

    def __init__(self, parts: Parts, config: LecoConfig) -> None:
        self.parts, self.config, self.step = parts, config, 0
        self.adapters = Adapters(parts, config.lora, config.seed)
        self._schedule = make_schedule(DENOISE_STEPS, "trailing", zero_snr=parts.info.zero_snr)
        self._optimizer = torch.optim.AdamW(self.adapters.parameters(), lr=config.lr)
        self._walk = torch.empty(0)

    def advance(self) -> float:
        """Do one step and return its loss; a walk of fresh noise begins every 49 steps.

        Raises:
            LossNotFinite: before the weights change.
        """
        number, place = divmod(self.step, WALK)
        if place == 0:
            self._walk = self.walk(number, self.config.concept, self.config.batch)
        states = self.states(self._walk, number, place)
        loss = functional.mse_loss(self.epsilon(states, self.config.concept), self.target(states))
        for prompt in self.config.preserve:
            with self.adapters.off(), torch.no_grad():
                before = self.epsilon(states, prompt)
            loss = loss + functional.mse_loss(self.epsilon(states, prompt), before) / len(self.config.preserve)
        if not math.isfinite(loss.item()):
            raise LossNotFinite(f"the loss is not finite at step {self.step}")
        self._optimizer.param_groups[0]["lr"] = self.rate(self.step)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        self.step += 1
        return loss.item()

    def rate(self, step: int) -> float:
        """The learning rate of a step: half a cosine down to zero."""
        return self.config.lr * annealed(step / self.config.steps)

    @torch.no_grad()
    def walk(self, number: int, prompt: str, rows: int) -> torch.Tensor:
        """From noise towards the prompt by 50 Euler steps at CFG 3, with the adapters as they are now.

        Returns the states after 1 to 49 steps, (49, rows, C, h, w), as the U-Net takes them.
        """
        random = generator(self.config.seed, "leco", "noise", number)
        side = self.config.size // self.parts.latent_factor
        noise = torch.randn((rows, self.parts.unet.config.in_channels, side, side), generator=random)
        text = encode_text(self.parts, [""] * rows + [prompt] * rows)
        sigmas, found = self._schedule.sigmas, []

        def denoiser(x: torch.Tensor, i: int) -> torch.Tensor:
            scaled = x / (sigmas[i] ** 2 + 1) ** 0.5
            found.append(scaled)
            timesteps = torch.full((2 * rows,), self._schedule.timesteps[i], device=x.device)
            empty, towards = self._answer(torch.cat([scaled, scaled]), timesteps, text).chunk(2)
            return x - sigmas[i] * (empty + SAMPLE_CFG * (towards - empty))

        start = noise.to(self.parts.device) * self._schedule.initial_scale
        sample_euler(denoiser, start, sigmas, lambda _: noise, eta=0.0)
        return torch.stack(found[1:])

    def states(self, walk: torch.Tensor, number: int, place: int) -> States:
        """Of each row one state: k steps done, every k of 1..49 once in a walk, in an order of the row's own.

        With trailing spacing the timestep after k of 50 steps is 999 - int(k 1000 / 50).
        """
        random = generator(self.config.seed, "leco", "order", number)
        rows = walk.shape[1]
        order = torch.stack([torch.randperm(WALK, generator=random) for _ in range(rows)])[:, place]
        timesteps = torch.tensor(self._schedule.timesteps)[order + 1]
        return States(walk[order, torch.arange(rows)], timesteps.to(walk.device))

    @torch.no_grad()
    def target(self, states: States) -> torch.Tensor:
        """What the answers should be: the checkpoint's own, moved along the direction."""
        config = self.config
        prompts = (config.neutral, config.positive or config.concept, config.unconditional)
        with self.adapters.off():
            neutral, positive, unconditional = (self.epsilon(states, prompt) for prompt in prompts)
        return neutral + ACTIONS[config.action] * config.guidance * (positive - unconditional)

    def epsilon(self, states: States, prompt: str) -> torch.Tensor:
        """The U-Net's answers (B, C, h, w), float32, to one prompt."""
        return self._answer(states.x, states.timesteps, encode_text(self.parts, [prompt] * len(states.x)))

    def _answer(self, x: torch.Tensor, timesteps: torch.Tensor, text: TextCondition) -> torch.Tensor:
        parts, size = self.parts, self.config.size
        sizes = time_ids(size, size, len(x)).to(parts.device, parts.dtype)
        output = parts.unet(
            x.to(parts.dtype),
            timesteps,
            text.hidden,
            encoder_attention_mask=text.mask if parts.info.pad_mask else None,
            added_cond_kwargs={"text_embeds": text.pooled, "time_ids": sizes},
        ).sample
        answer: torch.Tensor = output.float()
        return answer

    def left(self, rows: int = 2) -> float:
        """Of the distance ||eps(c) - target|| before training, the share that is left; on noise of its own."""
        pairs = []
        for states in self._held_out(self.config.concept, rows):
            target, now = self.target(states), self._told(states, self.config.concept)
            pairs.append((now - target, self._told(states, self.config.concept, adapted=False) - target))
        return _ratio(pairs)

    def moved(self, prompt: str, rows: int = 2) -> float:
        """How far the answer to another prompt has moved, ||eps_LoRA - eps|| / ||eps||, on the way to that prompt."""
        pairs = []
        for states in self._held_out(prompt, rows):
            before = self._told(states, prompt, adapted=False)
            pairs.append((self._told(states, prompt) - before, before))
        return _ratio(pairs)

    def _held_out(self, prompt: str, rows: int) -> Iterable[States]:
        walk = self.walk(HELD_OUT, prompt, rows)
        return [self.states(walk, HELD_OUT, place) for place in range(0, WALK, 4)]

    @torch.no_grad()
    def _told(self, states: States, prompt: str, *, adapted: bool = True) -> torch.Tensor:
        if adapted:
            return self.epsilon(states, prompt)
        with self.adapters.off():
            return self.epsilon(states, prompt)

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs."""
        optimizer = self._optimizer.state_dict()
        return {"step": self.step, "adapters": self.adapters.state(), "optimizer": optimizer, "walk": self._walk}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from ``state()``."""
        self.step = int(state["step"])
        self.adapters.load(state["adapters"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._walk = state["walk"]


def _ratio(pairs: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """The norm of all first tensors by that of all second ones."""
    sums = torch.tensor([[float(each.double().square().sum()) for each in pair] for pair in pairs]).sum(0)
    return float((sums[0] / sums[1]).sqrt())
