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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from training.buckets import BucketConfig
from training.caption_config import TINY, CaptionConfig
from training.errors import UserError
from training.lora_config import LoraConfig
from training.train_config import (
    DiffusionConfig,
    ObjectiveConfig,
    OptimizerConfig,
    ScheduleConfig,
    check_choices,
    check_ranges,
)

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
class Preset:
    """One training recipe under one name.

    Attributes:
        posts: ``named`` (with a character's name), ``general`` (without) or ``all``.
        general_share: share of posts without names in every batch, against forgetting; only with ``named``.
        pictures: size of the data set that the numbers were made for (Table 5), 0 where there is none.
        latents: ``cached`` once for the whole run, or ``encoded`` anew in every step.
        caption: a table of settings, or a caption config's name.
        lora: what is trained instead of the checkpoint's own weights, where it is set.
        licence: of what is trained; where it is not set, the base's.

    Raises:
        ValueError: a value outside its range, or two that contradict each other.
    """

    name: str
    title: str
    posts: str = "all"
    general_share: float = 0.0
    pictures: int = 0
    latents: str = "cached"
    buckets: BucketConfig = field(default_factory=BucketConfig)
    caption: CaptionConfig = TINY
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    lora: LoraConfig | None = None
    licence: str | None = None
    architecture: Architecture = field(default_factory=Architecture)
    vae: VaeConfig = field(default_factory=VaeConfig)

    def __post_init__(self) -> None:
        check_choices(self, {"posts": ("named", "general", "all"), "latents": ("cached", "encoded")})
        check_ranges(self, {"general_share": (0, 1), "pictures": (0, float("inf"))})
        if self.general_share and self.posts != "named":
            raise ValueError("general_share needs posts = 'named'")
        if self.latents == "cached" and self.buckets.crop == "random":
            raise ValueError("random crops differ in every epoch: set latents = 'encoded', or buckets.crop = 'centre'")
        if self.schedule.milestones and self.diffusion.steps_per_epoch:
            raise ValueError("schedule.milestones need whole passes over the data: leave out steps_per_epoch")

    @property
    def nominal_steps(self) -> float:
        """Steps of the run on ``pictures``: pictures * epochs / batch, as Table 1 follows from Table 5."""
        return self.pictures * self.diffusion.epochs / self.diffusion.batch


def with_steps(preset: Preset, **changes: int | None) -> Preset:
    """The preset with other ``epochs``, ``steps_per_epoch``, ``batch`` or ``seed``; None leaves one as it is."""
    given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    return replace(preset, diffusion=replace(preset.diffusion, **given))


def preset_names() -> list[str]:
    """Names of the presets that come with the package."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_preset(name: str) -> Preset:
    """A preset of the package by name, or one from a TOML file, which bears the file's name unless it says another.

    Raises:
        UserError: there is no such preset (the nearest is named) or a setting in it is wrong.
    """
    known = preset_names()
    if name not in known and not name.endswith(".toml"):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise UserError(f"unknown preset {name!r}: did you mean {near!r}? Known: {', '.join(known)}, or a .toml file")
    path = PRESETS / f"{name}.toml" if name in known else Path(name)
    values = {"name": path.stem, "title": path.stem, **read_toml(path, known)}
    if isinstance(values.get("caption"), str):
        values["caption"] = to_mapping(load_captions(values["caption"]))
    return from_mapping(Preset, values, str(path))


def caption_names() -> list[str]:
    """Names of caption configs: those of the paper's versions and those within the presets."""
    return sorted({path.stem for path in (*CAPTIONS.glob("*.toml"), *PRESETS.glob("*.toml"))})


def prepare_names() -> list[str]:
    """Names of the configs of `python -m training prepare`."""
    return sorted(path.stem for path in PREPARE.glob("*.toml"))


def load_captions(name: str) -> CaptionConfig:
    """A caption config by name (`caption_names`), or from a TOML file of its settings.

    Raises:
        UserError: there is neither (the nearest name is given), or a setting in it is wrong.
    """
    own = CAPTIONS / f"{name}.toml"
    if name in preset_names() and not own.is_file():
        return load_preset(name).caption
    return load_toml(CaptionConfig, own if own.is_file() else Path(name), caption_names())


def load_toml(kind: type[Settings], path: Path, names: list[str]) -> Settings:
    """Settings from a TOML file; ``names`` are what else could have been asked for.

    Raises:
        UserError: no such file, no TOML, or a setting in it is wrong.
    """
    return from_mapping(kind, read_toml(path, names), str(path))


def read_toml(path: Path, names: list[str]) -> dict[str, Any]:
    """The values of a TOML file; ``names`` are what else could have been asked for.

    Raises:
        UserError: no such file, or no TOML.
    """
    if not path.is_file():
        near = difflib.get_close_matches(str(path), names, n=1, cutoff=0.0)[0]
        raise UserError(f"no file {path}, and no such name: did you mean {near!r}? Known: {', '.join(names)}")
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no TOML: {error}") from error


def from_mapping(kind: type[Settings], mapping: Mapping[str, Any], source: str) -> Settings:
    """Build dataclass ``kind`` from ``mapping``; lists become tuples, tables become nested dataclasses.

    Raises:
        UserError: a key is unknown or a value has the wrong type or range; ``source`` is named.
    """
    hints = get_type_hints(kind)
    unknown = sorted(set(mapping) - set(hints))
    if unknown:
        near = difflib.get_close_matches(unknown[0], hints, n=1, cutoff=0.0)[0]
        known = ", ".join(sorted(hints))
        raise UserError(f"{source}: unknown setting {unknown[0]!r}: did you mean {near!r}? Known: {known}")
    values = {key: _value(hints[key], value, f"{source}: {key}") for key, value in mapping.items()}
    try:
        return kind(**values)
    except ValueError as error:
        raise UserError(f"{source}: {error}") from error


def _value(hint: Any, value: Any, where: str) -> Any:
    """``value`` as type ``hint``, or a UserError that names ``where``."""
    if type(None) in get_args(hint):
        if value is None:
            return None
        hint = next(kind for kind in get_args(hint) if kind is not type(None))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type) and isinstance(value, Mapping):
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
