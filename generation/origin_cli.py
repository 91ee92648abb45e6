"""Commands about checkpoints themselves: seal, inspect, convert; and the options that name a checkpoint."""

import argparse
import importlib
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from generation.checkpoint import PICKLED_SUFFIXES, CheckpointInfo, read_checkpoint, read_layout
from generation.errors import CheckpointError, GenerationError
from generation.lora_file import LoraRef, is_lora, read_lora_info
from generation.lora_names import NAMINGS, naming_of
from generation.presets import PRESETS, first_recipe
from generation.recipe import CHOICES
from generation.sealing import Description, seal_folder
from generation.single import prediction, read_header

DEVICE_HELP = "torch device, such as cpu or cuda:0"
COMPILE_HELP = "compile the UNet by this backend of torch.compile, such as inductor"
PROGRESS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
RECIPE_OPTIONS: dict[str, dict[str, Any]] = {
    **{name: {"choices": choices} for name, choices in CHOICES.items()},
    "steps": {"type": int},
    "cfg": {"type": float},
    "width": {"type": int},
    "height": {"type": int},
    "batch": {"type": int},
    "negative_prompt": {},
    "banned_tags": {},
}
IDENTITY = ("run", "epoch", "step", "licence", "attribution", "parent")


def plain_console(*, errors: bool = False) -> Console:
    """A console that prints text as it is."""
    return Console(stderr=errors, soft_wrap=True, markup=False, highlight=False)


def load(path: str) -> Any:
    """An object by its dotted path: how torch stays out of commands that do not need it.

    Raises GenerationError for a package that is not there.
    """
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if (error.name or "generation").split(".")[0] == "generation":
            raise
        raise GenerationError(
            f"{error.name} is not installed for {sys.executable}. Remedy: make install, then source .venv/bin/activate."
        ) from error


def recipe_options(parser: argparse.ArgumentParser, default: str) -> None:
    """One option for each field of a Recipe."""
    recipe = parser.add_argument_group("recipe", default)
    for name, settings in RECIPE_OPTIONS.items():
        recipe.add_argument(f"--{name.replace('_', '-')}", **settings)


def chosen(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of the recipe that the command line names."""
    return {name: getattr(options, name) for name in RECIPE_OPTIONS if getattr(options, name) is not None}


def origin_options(parser: argparse.ArgumentParser) -> None:
    """What a checkpoint is besides its path."""
    parser.add_argument("--like", type=Path, metavar="FOLDER", help="of a single file: its configs and tokenizers")
    parser.add_argument("--prediction-type", help="for a single file: epsilon or v_prediction, above what it says")
    parser.add_argument("--lora", action="append", default=[], metavar="FILE[:SCALE]", help="may be repeated")


def origin(path: Path, options: argparse.Namespace) -> Any:
    """The Origin that path and options name. Raises ValueError for a scale that is no number."""
    refs = tuple(LoraRef.parse(text) for text in options.lora)
    return load("generation.loading.Origin")(path, options.like, options.prediction_type, refs)


def device_options(parser: argparse.ArgumentParser) -> None:
    """Where and in which arithmetic is rendered."""
    parser.add_argument("--device", default="cpu", help=DEVICE_HELP)
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="float32")
    parser.add_argument("--threads", type=int, help="CPU threads; default: torch's own choice")
    parser.add_argument("--compile", metavar="BACKEND", help=COMPILE_HELP)


def renderer(options: argparse.Namespace, **more: Any) -> Any:
    """A Renderer after the options."""
    return load("generation.renderer.Renderer")(
        origin(options.path, options),
        device=options.device,
        threads=options.threads,
        dtype=load("generation.verify.DTYPES")[options.dtype],
        compile_backend=options.compile,
        **more,
    )


def seal_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``seal``."""
    parser.add_argument("folder", type=Path)
    parser.add_argument("--run", required=True, help="name of the training run")
    parser.add_argument("--epoch", type=int, required=True)
    parser.add_argument("--step", type=int, required=True, help="optimiser steps since the run began")
    parser.add_argument("--licence", required=True, help="licence of the weights")
    parser.add_argument("--attribution", default="", help="whom the licence asks to name")
    parser.add_argument("--parent", help="hash of the checkpoint that the run began from")
    parser.add_argument("--prediction-type", default="epsilon", help="epsilon (default) or what the scheduler says")
    parser.add_argument("--preset", choices=tuple(PRESETS), help="the paper's recipe and limits for this class")
    recipe_options(parser, "default: the preset's, or the paper's: Euler A, 28 steps, CFG 6, native size")


def seal(options: argparse.Namespace) -> int:
    """Write ``checkpoint.json`` beside weights."""
    preset = PRESETS.get(options.preset or "")
    recipe = replace(preset.recipe if preset else first_recipe(read_layout(options.folder)), **chosen(options))
    if preset:
        preset.check(recipe)
    description = Description(
        run=options.run,
        epoch=options.epoch,
        step=options.step,
        licence=options.licence,
        attribution=options.attribution,
        parent=options.parent,
        prediction_type=options.prediction_type,
        recipe=recipe,
        max_pixels=preset.max_pixels if preset else None,
    )
    info = seal_folder(options.folder, description, _now())
    plain_console().print(f"{info.name}: {info.sha256}")
    return 0


def inspect_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``inspect``."""
    parser.add_argument("path", type=Path, metavar="FOLDER|FILE")


def inspect(options: argparse.Namespace) -> int:
    """Show what a checkpoint folder, or the header of a single file, says of itself."""
    table = Table(show_header=False, box=None)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    rows = _file_rows(options.path) if options.path.suffix == ".safetensors" else _folder_rows(options.path)
    for name, value in rows:
        table.add_row(name, value)
    plain_console().print(table)
    return 0


def _folder_rows(folder: Path) -> list[tuple[str, str]]:
    info = read_checkpoint(folder)
    names = (
        "name",
        "run",
        "epoch",
        "step",
        "preset",
        "sha256",
        "parent",
        "architecture",
        "prediction_type",
        "zero_snr",
    )
    rows = [(name, str(getattr(info, name))) for name in (*names, "pad_mask", "licence", "attribution", "created_at")]
    rows += [(f"recipe.{name}", repr(value)) for name, value in info.recipe.to_dict().items()]
    for component in info.family.components:
        size = sum(file.stat().st_size for file in (info.folder / component).glob("*.safetensors"))
        rows.append((component, f"{size / 1e6:.2f} MB"))
    return rows


def _file_rows(path: Path) -> list[tuple[str, str]]:
    header = read_header(path)
    if is_lora(header):
        return _lora_rows(path)
    try:
        predicts, zero_snr = prediction(path, header)
        said = [("prediction_type", predicts), ("zero_snr", str(zero_snr))]
    except CheckpointError as error:
        said = [("prediction_type", f"not said: {error}")]
    return [("tensors", str(len(header.shapes))), *said, *sorted(header.metadata.items())]


def _lora_rows(path: Path) -> list[tuple[str, str]]:
    info = read_lora_info(path)
    ranks = ", ".join(map(str, info.ranks))
    said = [("LoRA", info.name), ("naming", naming_of(info.first)), ("layers", str(info.layers)), ("ranks", ranks)]
    return [*said, ("sha256", info.sha256), *sorted(info.metadata.items())]


def convert_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``convert``."""
    parser.add_argument("source", type=Path, help="a checkpoint folder, a .safetensors file, a LoRA, or a pickle")
    parser.add_argument("--out", type=Path, required=True, help="a new folder, or a new .safetensors file")
    origin_options(parser)
    parser.add_argument("--naming", choices=NAMINGS, help="of a LoRA: whose names it gets; with --like")
    for name in IDENTITY:
        parser.add_argument(f"--{name}", type=int if name in ("epoch", "step") else str, help="of the new folder")


def convert(options: argparse.Namespace) -> int:
    """Write a checkpoint in another form."""
    out: Path = options.out
    if options.source.suffix in PICKLED_SUFFIXES:
        load("generation.convert.from_pickle")(options.source, out)
        plain_console().print(f"{out}: the tensors of {options.source}, nothing else")
        return 0
    if options.source.suffix == ".safetensors" and is_lora(read_header(options.source)):
        return _convert_lora(options)
    if options.naming:
        raise ValueError(f"--naming is for a LoRA, {options.source} is none")
    source = origin(options.source, options)
    if out.suffix == ".safetensors":
        plain_console().print(str(load("generation.convert.to_single_file")(source, out)))
        return 0
    fields = {name: getattr(options, name) for name in IDENTITY if getattr(options, name) is not None}
    if "run" in fields or "epoch" in fields:
        fields["name"] = f"{fields.get('run', options.source.stem)} epoch {fields.get('epoch', 0)}"
    info: CheckpointInfo = load("generation.convert.to_folder")(source, out, fields, _now())
    plain_console().print(f"{info.name}: {info.sha256}")
    return 0


def _convert_lora(options: argparse.Namespace) -> int:
    """Give a LoRA's layers the other names. Raises ValueError for options that belong to a checkpoint."""
    for name in ("lora", "prediction_type", *IDENTITY):
        if getattr(options, name) not in (None, []):
            raise ValueError(f"--{name.replace('_', '-')} is for a checkpoint, {options.source} is a LoRA")
    if options.naming is None or options.like is None or options.out.suffix != ".safetensors":
        raise ValueError(
            f"{options.source} is a LoRA: write convert LORA.safetensors --out NEW.safetensors --naming "
            f"{'|'.join(NAMINGS)} --like FOLDER, a checkpoint folder of the architecture it was made for"
        )
    load("generation.lora_convert.convert_lora")(options.source, options.like, options.naming, options.out)
    plain_console().print(f"{options.out}: {options.source} under {options.naming}'s names")
    return 0


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
