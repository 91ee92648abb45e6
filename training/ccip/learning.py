"""Trains the feature net: pictures of one character close together, those of others apart."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from rating.ccip.preprocess import CLIP_MEAN, CLIP_STD
from training.attributes_training import soften
from training.ccip.net import FeatureNet, seen_small
from training.ccip.pictures import Cast
from training.rng import stream_key

FIRST_SCALE = 1 / 0.07
MAX_SCALE = 100.0


@dataclass(frozen=True)
class Settings:
    """``characters`` a batch with ``images`` of each; ``rate`` is AdamW's peak learning rate."""

    seed: int = 0
    steps: int = 1500
    characters: int = 24
    images: int = 4
    rate: float = 3e-3


class Learner:
    """One training of a net on a cast; ``state()`` and ``restore()`` carry it over an interruption, to the bit.

    AdamW with a one-cycle learning rate. Every batch is mirrored, blurred, shifted, tinted and made noisy anew.

    Raises:
        ValueError: the cast has fewer characters, or images of each, than a batch needs.
    """

    def __init__(self, cast: Cast, settings: Settings) -> None:
        self.settings, self.step = settings, 0
        self._rows = torch.from_numpy(np.argsort(cast.labels, kind="stable")).view(len(np.unique(cast.labels)), -1)
        if self._rows.shape[0] < settings.characters or self._rows.shape[1] < settings.images:
            raise ValueError(
                f"a batch needs {settings.characters} characters with {settings.images} images each, "
                f"and there are {self._rows.shape[0]} with {self._rows.shape[1]}"
            )
        self._pictures = to_tensor(cast.pictures)
        # Layers take their first weights from torch's own generator; the fork puts it back.
        with torch.random.fork_rng():
            torch.manual_seed(stream_key(settings.seed, "ccip", "net") % 2**63)
            self.net = FeatureNet().train()
        self._scale = torch.nn.Parameter(torch.tensor(FIRST_SCALE).log())
        self._optimizer = torch.optim.AdamW([*self.net.parameters(), self._scale], lr=settings.rate, weight_decay=0.01)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(self._optimizer, settings.rate, total_steps=settings.steps)
        self._generator = torch.Generator().manual_seed(stream_key(settings.seed, "ccip", "batches") % 2**63)

    def advance(self) -> float:
        """One step; the loss before it."""
        batch = self._choose()
        seen = soften(self._pictures[batch.flatten()].float() / 255, self._generator)
        mirrored = torch.rand(len(seen), 1, 1, 1, generator=self._generator) < 0.5
        features = self.net.small(normalise(seen_small(torch.where(mirrored, seen.flip(3), seen))))
        labels = torch.arange(len(batch)).repeat_interleave(self.settings.images)
        loss = identity_loss(features, labels, self._scale.exp().clamp(max=MAX_SCALE))
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        self._schedule.step()
        self.step += 1
        return float(loss.item())

    def _choose(self) -> torch.Tensor:
        """Rows of pictures (characters, images) for one batch."""
        chosen = self._rows[torch.randperm(len(self._rows), generator=self._generator)[: self.settings.characters]]
        order = torch.rand(chosen.shape, generator=self._generator).argsort(dim=1)[:, : self.settings.images]
        return chosen.gather(1, order)

    def state(self) -> dict[str, Any]:
        """Everything that a later process needs to go on; tensors, numbers and plain containers."""
        return {
            "step": self.step,
            "net": self.net.state_dict(),
            "scale": self._scale.detach(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "generator": self._generator.get_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where ``state()`` was taken, with the same cast and settings."""
        self.step = int(state["step"])
        self.net.load_state_dict(state["net"])
        self._scale.data.copy_(state["scale"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self._generator.set_state(state["generator"])


def to_tensor(pictures: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Pictures (N, S, S, 3) as a (N, 3, S, S) uint8 tensor."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()


def normalise(pictures: torch.Tensor) -> torch.Tensor:
    """(B, 3, S, S) in [0, 1] minus CLIP's mean, over its deviation: what the contract's preprocessing does."""
    mean, std = (torch.tensor(values, dtype=pictures.dtype).view(1, 3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
    return (pictures - mean) / std


def identity_loss(features: torch.Tensor, labels: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Half of each of two losses over a softmax of ``scale`` x cosine, where every picture (B,) looks at the others.

    One is minus the log of the probability mass on pictures of the same character, as deepghs trains CCIP (spec
    ccip.md, section 1); the other the mean of minus the log probability of each of these pictures (Khosla et al. 2020,
    "Supervised Contrastive Learning", L_out).
    """
    unit = F.normalize(features, dim=1)
    itself = torch.eye(len(labels), dtype=torch.bool)
    logs = torch.log_softmax((scale * unit @ unit.T).masked_fill(itself, -torch.inf), dim=1)
    same = (labels[:, None] == labels) & ~itself
    mass = -torch.logsumexp(logs.masked_fill(~same, -torch.inf), dim=1)
    each = -logs.masked_fill(~same, 0).sum(dim=1) / same.sum(dim=1)
    return (mass.mean() + each.mean()) / 2
