"""The command line. torch is loaded by dotted path, only by the commands that render."""

import argparse
import importlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from generation.canonical import canonical_sha256
from generation.checkpoint import COMPONENTS, CheckpointInfo, read_checkpoint
from generation.errors import GenerationError
from generation.imageio import archive_png, read_archive
from generation.recipe import CHOICES, ImageRequest, Recipe
from generation.sealing import PAPER_RECIPE, Description, seal_folder

FAILED = 1
RECIPE_OPTIONS: dict[str, dict[str, Any]] = {
    **{name: {"choices": choices} for name, choices in CHOICES.items()},
    "steps": {"type": int},
    "cfg": {"type": float},
    "width": {"type": int},
    "height": {"type": int},
    "batch": {"type": int},
    "negative_prompt": {},
}
DEVICE_HELP = "torch device, such as cpu or cuda:0"


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 0 done, 1 refused with a message, 3 and 4 from ``verify``."""
    options = _parser().parse_args(arguments)
    errors = Console(stderr=True, soft_wrap=True)
    try:
        code: int = options.command(options)
    except (GenerationError, ValueError, OSError) as error:
        errors.print(f"error: {error}", style="red", markup=False, highlight=False)
        return FAILED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m generation", description="Images out of checkpoints.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (command, add_options, purpose) in COMMANDS.items():
        options = commands.add_parser(name, help=purpose, description=purpose)
        add_options(options)
        options.set_defaults(command=command)
    return parser


def _inspect_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path)


def _render_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--seed", type=int, required=True, help="seed of the first image; the next ones count up")
    parser.add_argument("--count", type=int, default=1, help="number of images")
    parser.add_argument("--out", type=Path, required=True, help="folder for the PNGs, made if missing")
    _recipe_options(parser, "default: the one in checkpoint.json")
    parser.add_argument("--device", default="cpu", help=DEVICE_HELP)
    parser.add_argument("--threads", type=int, help="CPU threads; default: torch's own choice")


def _verify_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("png", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--device", default="cpu", help=DEVICE_HELP)


def _seal_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path)
    parser.add_argument("--run", required=True, help="name of the training run")
    parser.add_argument("--epoch", type=int, required=True)
    parser.add_argument("--step", type=int, required=True, help="optimiser steps since the run began")
    parser.add_argument("--licence", required=True, help="licence of the weights")
    parser.add_argument("--attribution", default="", help="whom the licence asks to name")
    parser.add_argument("--parent", help="hash of the checkpoint that the run began from")
    parser.add_argument("--prediction-type", default="epsilon", help="epsilon (default) or what the scheduler says")
    _recipe_options(parser, "default: the paper's, Euler A, 28 steps, CFG 6, 1024 px")


def _seal(options: argparse.Namespace) -> int:
    description = Description(
        run=options.run,
        epoch=options.epoch,
        step=options.step,
        licence=options.licence,
        attribution=options.attribution,
        parent=options.parent,
        prediction_type=options.prediction_type,
        recipe=replace(PAPER_RECIPE, **_chosen(options)),
    )
    info = seal_folder(options.folder, description, datetime.now(UTC).isoformat(timespec="seconds"))
    Console(soft_wrap=True, markup=False, highlight=False).print(f"{info.name}: {info.sha256}")
    return 0


def _recipe_options(parser: argparse.ArgumentParser, default: str) -> None:
    recipe = parser.add_argument_group("recipe", default)
    for name, settings in RECIPE_OPTIONS.items():
        recipe.add_argument(f"--{name.replace('_', '-')}", **settings)


def _chosen(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of the recipe that the command line names."""
    return {name: getattr(options, name) for name in RECIPE_OPTIONS if getattr(options, name) is not None}


def _inspect(options: argparse.Namespace) -> int:
    info = read_checkpoint(options.folder)
    table = Table(show_header=False, box=None)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name in ("name", "run", "epoch", "step", "preset", "sha256", "parent", "prediction_type", "pad_mask"):
        table.add_row(name, str(getattr(info, name)))
    for name in ("licence", "attribution", "created_at"):
        table.add_row(name, getattr(info, name))
    for name, value in info.recipe.to_dict().items():
        table.add_row(f"recipe.{name}", repr(value))
    for component in COMPONENTS:
        size = sum(file.stat().st_size for file in (info.folder / component).glob("*.safetensors"))
        table.add_row(component, f"{size / 1e6:.2f} MB")
    Console(soft_wrap=True, markup=False, highlight=False).print(table)
    return 0


def _render(options: argparse.Namespace) -> int:
    if options.count < 1:
        raise ValueError(f"--count must be at least 1, got {options.count}")
    requests = [ImageRequest(options.prompt, options.seed + i) for i in range(options.count)]
    info = read_checkpoint(options.folder)
    recipe = replace(info.recipe, **_chosen(options))
    renderer = _load("generation.renderer.Renderer")(options.folder, device=options.device, threads=options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(soft_wrap=True, markup=False, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("rendering, steps", total=None)
        for rendered in renderer.render(
            recipe, requests, on_step=lambda done, total: progress.update(bar, completed=done, total=total)
        ):
            path = options.out / _file_name(info, recipe, rendered.request)
            _write(path, archive_png(rendered.image, rendered.manifest))
            console.print(path)
    _warn_about_cut(rendered.manifest)
    return 0


def _verify(options: argparse.Namespace) -> int:
    image, manifest = read_archive(options.png.read_bytes())
    result = _load("generation.verify.verify")(image, manifest, options.checkpoint, device=options.device)
    words = {0: "exact", 3: "within 1/255 in another environment", 4: "different"}
    lines = [f"{options.png}: {words[result.code]}"]
    if result.max_difference is not None:
        lines.append(f"largest difference of a channel: {result.max_difference} of 255")
    lines += [f"differs: {name}" for name in result.differing]
    Console(soft_wrap=True, markup=False, highlight=False).print("\n".join(lines))
    return int(result.code)


def _warn_about_cut(manifest: dict[str, Any]) -> None:
    starts = [start for start in manifest["tokens"]["cut_from"] if start is not None]
    if starts:
        unused = manifest["prompt"][min(starts) :]
        Console(stderr=True, soft_wrap=True, markup=False, highlight=False).print(
            f"warning: the prompt is too long for the text encoders; without effect was: {unused!r}; "
            "--long-prompts chunks uses it"
        )


def _file_name(info: CheckpointInfo, recipe: Recipe, request: ImageRequest) -> str:
    """Seed, and a short hash of all that decides the image: other images never overwrite it, the same one may."""
    identity = canonical_sha256([info.sha256, recipe.sha256, request.prompt, request.seed])
    return f"{request.seed}-{identity[:12]}.png"


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def _load(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], Callable[[argparse.ArgumentParser], None], str]] = {
    "seal": (_seal, _seal_options, "write checkpoint.json beside weights that another trainer saved"),
    "inspect": (_inspect, _inspect_options, "check a checkpoint folder and show what it says of itself"),
    "render": (_render, _render_options, "render images of a prompt, one PNG a seed"),
    "verify": (_verify, _verify_options, "render a PNG again: exit 0 exact, 3 within 1/255, 4 different"),
}
