"""Optimisers by name."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pkgutil import resolve_name
from typing import Any

import torch

from training.errors import UserError
from training.train_config import OptimizerConfig


def build_optimizer(groups: Sequence[dict[str, Any]], config: OptimizerConfig) -> torch.optim.Optimizer:
    """The optimiser over parameter ``groups``, each with its own ``lr``.

    ``adafactor`` is arXiv:1804.04235 with the given rate in place of its own schedule's upper bound, as PyTorch has it:
    the step is the rate times the parameter's root mean square, so its rates are not AdamW's.

    Raises:
        UserError: ``adamw8bit`` without bitsandbytes.
    """
    decay = config.weight_decay
    if config.name == "adafactor":
        return torch.optim.Adafactor(list(groups), weight_decay=decay)
    if config.name == "adamw":
        return torch.optim.AdamW(list(groups), betas=config.betas, weight_decay=decay)
    if find_spec("bitsandbytes") is None:
        raise UserError(
            "the optimiser adamw8bit needs bitsandbytes: pip install -c constraints.txt -e '.[eight-bit]', "
            "or set optimizer.name to adamw or adafactor"
        )
    kind: type[torch.optim.Optimizer] = resolve_name("bitsandbytes.optim:AdamW8bit")
    return kind(list(groups), betas=config.betas, weight_decay=decay)  # type: ignore[call-arg]
