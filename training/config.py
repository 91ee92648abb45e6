"""Typed settings of the trainers: frozen dataclasses read from TOML, checked, hashed, written into every manifest.

Names and defaults follow the paper's section 3 and appendix; where the paper is silent the comment says so.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from training.caption_config import TINY, CaptionConfig
from training.errors import UserError

HOME = Path(os.environ.get("ARENA_HOME", "var"))
PRESETS = Path(__file__).parent / "presets"
CAPTIONS = PRESETS / "captions"
PREPARE = PRESETS / "prepare"
Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Architecture:
    """Sizes of a tiny SDXL; the two text widths must differ, or single-file loading crosses the encoders."""

    image_size: int = 64
    latent_channels: int = 4
    vae_channels: tuple[int, ...] = (16, 32, 64)
    unet_channels: tuple[int, ...] = (32, 64, 64)
    unet_heads: tuple[int, ...] = (2, 4, 4)
    time_id_width: int = 8
    text_widths: tuple[int, int] = (48, 64)
    text_heads: int = 4
    text_layers: int = 2
    text_positions: int = 48


@dataclass(frozen=True)
class VaeConfig:
    """How the autoencoder is trained: first plain, then with colour differences weighted up."""

    seed: int = 0
    steps: int = 6000
    batch: int = 16
    lr: float = 1.5e-3
    warmup: int = 200
    ema: float = 0.999
    plain_share: float = 0.35  # of the steps, before colour is weighted up
    chroma_weight: float = 2.0
    gradient_weight: float = 1.0
    coarse_weight: float = 0.5  # the same error after 4x4 averaging: flat areas keep their colour
    kl_weight: float = 1e-5
    held_out: int = 256


@dataclass(frozen=True)
class DiffusionConfig:
    """How the U-Net and the text encoders are trained; epsilon prediction throughout."""

    seed: int = 0
    epochs: int = 4
    steps_per_epoch: int = 500
    batch: int = 16
    unet_lr: float = 1.5e-3
    text_lr: float = 1.5e-3
    weight_decay: float = 0.01
    warmup: int = 100
    ema: float = 0.995
    grad_clip: float = 1.0
    weighting: str = "min_snr"  # "none", "debias" (the paper) or "min_snr"
    min_snr_gamma: float = 5.0
    noise_offset: float = 0.1  # the paper has none at batch sizes below 128 worth the name; tiny latents profit
    input_perturbation: float = 0.0  # upper bound of the paper's per-sample epsilon ~ U(0, bound)
    general_share: float = 0.0  # share of general posts among named ones, against forgetting

    def __post_init__(self) -> None:
        """Raise UserError for a value outside its range."""
        if self.weighting not in {"none", "debias", "min_snr"}:
            raise UserError(f"weighting {self.weighting!r} is unknown: choose none, debias or min_snr")
        for name in ("epochs", "steps_per_epoch", "batch"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("general_share", "ema"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole run."""
        return self.epochs * self.steps_per_epoch


@dataclass(frozen=True)
class Preset:
    """One training recipe under one name."""

    name: str
    title: str
    posts: str = "named"  # "named": posts with a character name; "general": posts without
    caption: CaptionConfig = TINY
    architecture: Architecture = field(default_factory=Architecture)
    vae: VaeConfig = field(default_factory=VaeConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)


def preset_names() -> list[str]:
    """Names of the presets that come with the package."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_preset(name: str) -> Preset:
    """Read presets/<name>.toml.

    Raises:
        UserError: there is no such preset (the nearest is named) or a setting in it is wrong.
    """
    path = PRESETS / f"{name}.toml"
    if name not in preset_names():
        near = difflib.get_close_matches(name, preset_names(), n=1, cutoff=0.0)[0]
        raise UserError(f"unknown preset {name!r}: did you mean {near!r}? Known: {', '.join(preset_names())}")
    return from_mapping(Preset, {"name": name, **tomllib.loads(path.read_text())}, str(path))


def caption_names() -> list[str]:
    """Names of caption configs: those of the paper's versions and those within the presets."""
    return sorted(path.stem for path in CAPTIONS.glob("*.toml")) + preset_names()


def prepare_names() -> list[str]:
    """Names of the configs of `python -m training prepare`."""
    return sorted(path.stem for path in PREPARE.glob("*.toml"))


def load_captions(name: str) -> CaptionConfig:
    """A caption config by name (`caption_names`), or from a TOML file of its settings.

    Raises:
        UserError: there is neither (the nearest name is given), or a setting in it is wrong.
    """
    if name in preset_names():
        return load_preset(name).caption
    path = CAPTIONS / f"{name}.toml" if name in caption_names() else Path(name)
    return load_toml(CaptionConfig, path, caption_names())


def load_toml(kind: type[Settings], path: Path, names: list[str]) -> Settings:
    """Settings from a TOML file; ``names`` are what else could have been asked for.

    Raises:
        UserError: no such file, no TOML, or a setting in it is wrong.
    """
    if not path.is_file():
        near = difflib.get_close_matches(str(path), names, n=1, cutoff=0.0)[0]
        raise UserError(f"no file {path}, and no such name: did you mean {near!r}? Known: {', '.join(names)}")
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no TOML: {error}") from error
    return from_mapping(kind, values, str(path))


def from_mapping(kind: type[Settings], mapping: Mapping[str, Any], source: str) -> Settings:
    """Build dataclass ``kind`` from ``mapping``; lists become tuples, tables become nested dataclasses.

    Raises:
        UserError: a key is unknown or a value has the wrong type or range; ``source`` is named.
    """
    hints = get_type_hints(kind)
    unknown = sorted(set(mapping) - set(hints))
    if unknown:
        raise UserError(f"{source}: unknown setting {unknown[0]!r}; known: {', '.join(sorted(hints))}")
    values = {key: _value(hints[key], value, f"{source}: {key}") for key, value in mapping.items()}
    try:
        return kind(**values)
    except ValueError as error:
        raise UserError(f"{source}: {error}") from error


def _value(hint: Any, value: Any, where: str) -> Any:
    """``value`` as type ``hint``, or a UserError that names ``where``."""
    if type(None) in get_args(hint):
        hint = next(kind for kind in get_args(hint) if kind is not type(None))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_mapping(hint, value, where)
    if get_origin(hint) in {tuple, frozenset}:
        return get_origin(hint)(_value(get_args(hint)[0], item, where) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise UserError(f"{where} must be {getattr(hint, '__name__', hint)}, not {value!r}")
    return value


def to_mapping(settings: Any) -> dict[str, Any]:
    """A dataclass as plain JSON values."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(settings), default=sorted))
    return plain
