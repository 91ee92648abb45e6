"""Where the paper leaves something open, what a run took it to mean: A1 to A19, as values of its settings.

They go into every checkpoint and LoRA, as the paper's section on the ethics of data asks: what a model was made of, and
how, is part of it. docs/checkpoint-formats.md lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What the paper leaves open, and the settings that settle it, by their dotted names. Those under ``prepare`` are of the
# prepared data set.
OPEN: dict[str, tuple[str, tuple[str, ...]]] = {
    "A1": ("what happens to captions of no dropout level", ("caption.levels", "caption.tag_dropout")),
    "A2": ("max(30 % of N, 10) with few tags, and its rounding", ("caption.rounding",)),
    "A3": ("which tags a level keeps", ("caption.level_select",)),
    "A4": ("no-dropout tokens in empty captions", ("caption.protected", "caption.protect_in_uncond")),
    "A5": ("empty captions for guidance, of which the paper does not speak", ("caption.uncond_rate",)),
    "A6": ("weak-probability dropout: of a caption, or tag by tag", ("caption.name_protection", "caption.name_scope")),
    "A7": ("Table 3's percentages: cumulative, upper ends included", ("prepare.quality.cuts",)),
    "A8": (
        "the moving window of quality",
        tuple(f"prepare.quality.{name}" for name in ("window", "hops", "metric", "align")),
    ),
    "A9": ("Table 4's years, ends included", ("caption.year_bounds", "caption.year_number_rate")),
    "A10": ("the place of copyright and meta tags", ("caption.copyright", "caption.include_meta")),
    "A11": ("commas become spaces: in a whole caption, or each", ("caption.space_rate", "caption.space_scope")),
    "A12": ("smaller than 768 x 768: area or sides", ("prepare.prune.min_side", "prepare.prune.small_by")),
    "A13": ("mixed NEAREST and LANCZOS", ("prepare.resize.mix", "prepare.resize.max_pixels")),
    "A14": ("the strength of input perturbation", ("objective.input_perturbation", "objective.perturbation")),
    "A15": ("the masked loss of padding: a mask of cross-attention", ("objective.pad_mask",)),
    "A16": ("cosine annealing: one cycle, or restarts", ("schedule.kind", "schedule.least", "schedule.warmup")),
    "A17": (
        "register tokens: how many, how long, where",
        (
            *(f"caption.register_{name}" for name in ("rate", "count", "length", "place")),
            "caption.assigned_register_rate",
        ),
    ),
    "A18": ("adaptive batch", tuple(f"schedule.{name}" for name in ("milestones", "batch_growth", "lr_factor"))),
    "A19": ("noise offset with small batches", ("objective.noise_offset",)),
}


def interpretations(config: Mapping[str, Any], prepare: Mapping[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    """For each question that these settings answer, the question and the values; those of no setting are left out.

    Args:
        config: a preset's settings.
        prepare: those of the data set's preparation, where it was prepared.
    """
    known = {**config, "prepare": prepare or {}}
    found = {name: (question, _values(known, paths)) for name, (question, paths) in OPEN.items()}
    return {name: {"open": question, "taken": values} for name, (question, values) in found.items() if values}


def _values(settings: Mapping[str, Any], paths: tuple[str, ...]) -> dict[str, Any]:
    found = {path: _value(settings, path) for path in paths}
    return {path: value for path, value in found.items() if value is not None}


def _value(settings: Any, path: str) -> Any:
    for name in path.split("."):
        settings = settings.get(name) if isinstance(settings, Mapping) else None
    return settings
