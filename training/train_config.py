"""What a training run does, as named values: objective, optimiser, schedule, and the run itself (section 3.2, Table 5).

Where the paper leaves something open, the value's name is the choice, and docs/objective.md and docs/schedules.md say
why the default is the default. All of it goes into the run's manifest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LARGE_BATCH = 128  # below it the paper found noise offset "not suitable for the common training procedure" [A19]
CHOICES = {
    "prediction": ("epsilon", "v_prediction"),
    "weighting": ("none", "debias", "min_snr"),
    "v_debias": ("root", "plain"),
    "perturbation": ("sample", "batch", "constant"),
}


def check_choices(config: Any, choices: dict[str, tuple[str, ...]]) -> None:
    """Raise ValueError where a setting is none of its choices."""
    for name, known in choices.items():
        if getattr(config, name) not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(config, name)!r}")


def check_ranges(config: Any, ranges: dict[str, tuple[float, float]]) -> None:
    """Raise ValueError where a setting lies outside its range, both ends within."""
    for name, (least, most) in ranges.items():
        value = getattr(config, name)
        if not least <= value <= most:
            bounds = f"at least {least:g}" if most == float("inf") else f"from {least:g} to {most:g}"
            raise ValueError(f"{name} must be {bounds}, got {value:g}")


@dataclass(frozen=True)
class ObjectiveConfig:
    """What the U-Net is asked for, and how much each sample counts (docs/objective.md).

    Attributes:
        prediction: ``epsilon`` (the paper) or ``v_prediction``.
        zero_snr: the noise schedule is rescaled so that the last timestep is pure noise.
        weighting: of a sample's squared error: ``debias`` (the paper), ``min_snr`` or ``none``.
        snr_clip: for ``debias`` the signal-to-noise ratio is at most this; only timestep 0 lies above 1,000.
        snr_floor: for all weights it is at least this, just below SDXL's last (0.0046819), so that zero terminal SNR
            stays finite.
        v_debias: ``debias`` with v-prediction, on which trainers differ: ``root``, 1/sqrt(SNR + 1), or ``plain``,
            1/(SNR + 1).
        min_snr_gamma: gamma of min-SNR.
        noise_offset: o in eps + o n, one n a channel; in the input and in the target.
        input_perturbation: bound b of the noise's perturbation, in the input only (the paper: 0 < eps < 0.1).
        perturbation: its strength is drawn from U(0, b) for each ``sample`` or each ``batch``, or is ``constant``, b
            [A14].
        pad_mask: padding tokens are hidden from cross-attention, in captions and in empty ones [A15].

    Raises:
        ValueError: a value outside its range.
    """

    prediction: str = "epsilon"
    zero_snr: bool = False
    weighting: str = "debias"
    snr_clip: float = 1000.0
    snr_floor: float = 0.00468
    v_debias: str = "root"
    min_snr_gamma: float = 5.0
    noise_offset: float = 0.0
    input_perturbation: float = 0.1
    perturbation: str = "sample"
    pad_mask: bool = True

    def __post_init__(self) -> None:
        check_choices(self, CHOICES)
        check_ranges(self, {"noise_offset": (0, 1), "input_perturbation": (0, 1), "snr_clip": (0, float("inf"))})
        if not 0 < self.snr_floor < self.snr_clip or self.min_snr_gamma <= 0:
            raise ValueError("snr_floor must lie between 0 and snr_clip, and min_snr_gamma above 0")

    def cautions(self, batch: int) -> list[str]:
        """What is legal and yet known to go wrong with a global batch of this size."""
        if self.noise_offset and batch < LARGE_BATCH:
            return [f"noise_offset {self.noise_offset:g} with a batch of {batch}: the paper found it unsuitable for "
                    f"small batches, here below {LARGE_BATCH}"]  # fmt: skip
        return []


OPTIMIZERS = ("adamw", "adafactor", "adamw8bit")
SCHEDULES = ("cosine", "restarts", "constant")
PRECISIONS = ("float32", "bf16_autocast", "bf16_weights")


@dataclass(frozen=True)
class OptimizerConfig:
    """What moves the weights (docs/schedules.md).

    Attributes:
        name: ``adamw``, ``adafactor``, or ``adamw8bit`` (bitsandbytes).
        unet_lr, text_lr: peak rates of the U-Net and of both text encoders; at 0 the text encoders stay as they are.
        betas: of AdamW, in either width; the paper names none.
        weight_decay: decoupled, times the rate.
        grad_clip: global norm of all gradients together; 0 leaves them.
        ema: decay of the averaged weights, which are what is saved; 0 saves the weights themselves.

    Raises:
        ValueError: a value outside its range.
    """

    name: str = "adamw"
    unet_lr: float = 1e-5
    text_lr: float = 6e-6
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.01
    grad_clip: float = 1.0
    ema: float = 0.9999

    def __post_init__(self) -> None:
        check_choices(self, {"name": OPTIMIZERS})
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas must be two numbers from 0 to below 1, got {self.betas}")
        check_ranges(self, {"ema": (0, 1), "weight_decay": (0, 1), **dict.fromkeys(
            ("unet_lr", "text_lr", "grad_clip"), (0, float("inf")))})  # fmt: skip


@dataclass(frozen=True)
class ScheduleConfig:
    """How rates and batch size change over a run (docs/schedules.md).

    Attributes:
        kind: ``cosine`` (one cycle over the run, section 3.2 [A16]), ``restarts`` (SGDR) or ``constant``.
        warmup: steps over which the rates rise linearly to their peak.
        least: rate at a cycle's end, as a share of the peak.
        cycle, cycle_growth: epochs of the first cycle with ``restarts``, and by how much each next one is longer.
        milestones: epochs, counted from 0, at whose start the batch grows (adaptive batch, A.2.4 [A18]).
        batch_growth, lr_factor: beta and alpha: from each milestone on the batch is beta and the rates alpha times what
            they were, which for a sample's weight is alpha/beta: 0.75/2 = 0.375, as if the rate fell at a fixed batch.

    Raises:
        ValueError: a value outside its range.
    """

    kind: str = "cosine"
    warmup: int = 0
    least: float = 0.0
    cycle: int = 1
    cycle_growth: int = 2
    milestones: tuple[int, ...] = ()
    batch_growth: int = 2
    lr_factor: float = 0.75

    def __post_init__(self) -> None:
        check_choices(self, {"kind": SCHEDULES})
        check_ranges(self, {"least": (0, 1), "lr_factor": (0, 1), "warmup": (0, float("inf"))})
        check_ranges(self, dict.fromkeys(("cycle", "cycle_growth", "batch_growth"), (1, float("inf"))))
        if list(self.milestones) != sorted(set(self.milestones)) or (self.milestones and self.milestones[0] < 1):
            raise ValueError(f"milestones must be rising epochs from 1 on, got {self.milestones}")


@dataclass(frozen=True)
class DiffusionConfig:
    """A run of U-Net and text encoders: how long, how much at once, in which numbers, what is kept.

    Attributes:
        seed: of everything random.
        epochs: checkpoints, one after each.
        steps_per_epoch: 0 for one pass over the data an epoch; otherwise an epoch's length, whatever the data.
        batch: samples of one optimiser step, over all processes.
        micro_batch: the most samples in one forward pass; the rest of a batch is accumulated. 0: all at once.
        text_chunks: how many times the text encoders' positions a caption may fill: with SDXL 75, 150 or 225 tokens for
            1, 2, 3; the rest is cut.
        precision: ``float32``; ``bf16_autocast`` (weights in float32, arithmetic in bfloat16); ``bf16_weights`` (all).
        gradient_checkpointing: activations are computed twice and not kept.
        save_every: steps after which the state is saved for a resume, besides the end of each epoch; 0: only there.
        keep: how many of the newest checkpoints stay; 0: all. ``keep_every``: those of every so many epochs stay, too.

    Raises:
        ValueError: a value outside its range.
    """

    seed: int = 0
    epochs: int = 4
    steps_per_epoch: int = 0
    batch: int = 16
    micro_batch: int = 0
    text_chunks: int = 1
    precision: str = "float32"
    gradient_checkpointing: bool = False
    save_every: int = 0
    keep: int = 0
    keep_every: int = 0

    def __post_init__(self) -> None:
        check_choices(self, {"precision": PRECISIONS})
        check_ranges(self, {"text_chunks": (1, 8), **dict.fromkeys(("epochs", "batch"), (1, float("inf")))})
        names = ("steps_per_epoch", "micro_batch", "save_every", "keep", "keep_every")
        check_ranges(self, dict.fromkeys(names, (0, float("inf"))))
