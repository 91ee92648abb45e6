"""The command line. torch is loaded by dotted path, only by the commands that render or convert."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from generation import origin_cli
from generation.canonical import canonical_sha256
from generation.checkpoint import INFO_FILE, CheckpointInfo, read_json
from generation.errors import Cancelled, GenerationError
from generation.files import write_bytes
from generation.imageio import archive_png, blind_png, read_archive
from generation.matchup_cli import matchup, matchup_options
from generation.modes_cli import mode, mode_options, open_picture, upscale, upscale_options
from generation.origin_cli import (
    DEVICE_HELP,
    PROGRESS,
    chosen,
    device_options,
    load,
    origin,
    origin_options,
    plain_console,
    recipe_options,
)
from generation.origin_cli import renderer as renderer_of
from generation.probe_cli import probe, probe_options
from generation.provenance import IMPORTED
from generation.recipe import Recipe
from generation.stopping import ctrl_c_remembered
from generation.upsample_cli import request, request_options, upsample, upsample_options

FAILED, DIFFERENT, INTERRUPTED = 1, 4, 130
PROGRAM = "python -m generation"


def main(arguments: Sequence[str], program: str = PROGRAM) -> int:
    """Run one command and return its exit code.

    0 done, 1 refused with a message, 130 interrupted, 3 and 4 from ``verify``. ``program`` is what help calls it.
    """
    options = _parser(program).parse_args(arguments)
    errors = Console(stderr=True, soft_wrap=True)
    try:
        with ctrl_c_remembered() as options.should_stop:
            code: int = options.command(options)
    except (Cancelled, KeyboardInterrupt):
        errors.print("interrupted; what is finished stays")
        return INTERRUPTED
    except (GenerationError, ValueError, OSError) as error:
        errors.print(f"error: {error}", style="red", markup=False, highlight=False)
        return FAILED
    return code


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description="Images out of checkpoints.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (command, add_options, purpose) in COMMANDS.items():
        options = commands.add_parser(name, help=purpose, description=purpose)
        add_options(options)
        options.set_defaults(command=command)
    return parser


def _render_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="FOLDER|FILE")
    request_options(parser)
    parser.add_argument("--seed", type=int, required=True, help="seed of the first image; the next ones count up")
    parser.add_argument("--count", type=int, default=1, help="number of images")
    parser.add_argument("--out", type=Path, required=True, help="folder for the PNGs, made if missing")
    parser.add_argument("--blind", type=Path, metavar="DIR", help="also write copies without any metadata there")
    origin_options(parser)
    mode_options(parser)
    recipe_options(parser, "default: the one in checkpoint.json; with --image, its size")
    device_options(parser)


def _verify_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("png", type=Path)
    parser.add_argument("--checkpoint", type=Path, metavar="FOLDER|FILE", help="what rendered it")
    parser.add_argument("--image", type=Path, help="the picture that it was rendered from")
    parser.add_argument("--mask", type=Path, help="the mask that it was rendered with")
    origin_options(parser)
    parser.add_argument("--device", default="cpu", help=DEVICE_HELP)


def _bench_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="FOLDER|FILE")
    parser.add_argument("--other", type=Path, action="append", default=[], help="change to it; may be repeated")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak-tflops", type=float, help="what the device can do at most")
    parser.add_argument("--ram-gb", type=float, help="budget of the weights kept in memory; default: no limit")
    parser.add_argument("--device-gb", type=float, default=0.0, help="budget of further weights kept on the device")
    origin_options(parser)
    recipe_options(parser, "default: the one in checkpoint.json")
    device_options(parser)


def _render(options: argparse.Namespace) -> int:
    if options.count < 1:
        raise ValueError(f"--count must be at least 1, got {options.count}")
    first = request(options)
    requests = [replace(first, seed=first.seed + i) for i in range(options.count)]
    how = mode(options)
    if how.image is not None:
        options.width, options.height = options.width or how.image.width, options.height or how.image.height
    if (options.path / INFO_FILE).is_file():  # an impossible value is refused before anything is loaded
        replace(Recipe.from_dict(read_json(options.path / INFO_FILE).get("recipe", {})), **chosen(options))
    renderer = renderer_of(options)
    recipe = replace(renderer.info.recipe, **chosen(options))
    for folder in filter(None, (options.out, options.blind)):
        folder.mkdir(parents=True, exist_ok=True)
    with Progress(*PROGRESS, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("rendering, steps", total=None)
        images = renderer.render(
            recipe, requests, mode=how, should_stop=options.should_stop,
            on_step=lambda done, total: progress.update(bar, completed=done, total=total),
        )  # fmt: skip
        for rendered in images:
            name = _file_name(renderer.info, rendered.manifest)
            write_bytes(options.out / name, archive_png(rendered.image, rendered.manifest))
            if options.blind:
                write_bytes(options.blind / f"{rendered.request.seed}.png", blind_png(rendered.image))
            plain_console().print(options.out / name)
    _warn_about_cut(rendered.manifest)
    return 0


def _verify(options: argparse.Namespace) -> int:
    image, manifest = read_archive(options.png.read_bytes())
    if manifest.get("mode") == IMPORTED:
        plain_console().print(f"{options.png}: imported: not reproducible\ndiffers: mode")
        return DIFFERENT
    if options.checkpoint is None:
        raise ValueError("name the checkpoint that rendered it with --checkpoint")
    result = load("generation.verify.verify")(
        image,
        manifest,
        origin(options.checkpoint, options),
        source=open_picture(options.image),
        mask=open_picture(options.mask),
        device=options.device,
    )
    words = {0: "exact", 3: "within 1/255 in another environment", 4: "different"}
    lines = [f"{options.png}: {words[result.code]}"]
    if result.max_difference is not None:
        lines.append(f"largest difference of a channel: {result.max_difference} of 255")
    lines += [f"differs: {name}" for name in result.differing]
    plain_console().print("\n".join(lines))
    return int(result.code)


def _bench(options: argparse.Namespace) -> int:
    if options.rounds < 1:
        raise ValueError(f"--rounds must be at least 1, got {options.rounds}")
    budget = None if options.ram_gb is None else int(options.ram_gb * 1e9)
    store = load("generation.store.weights_store")(budget, options.device) if options.other else None
    renderer = renderer_of(options, store=store, device_budget=int(options.device_gb * 1e9))
    recipe = replace(renderer.info.recipe, **chosen(options))
    with Progress(*PROGRESS, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("rounds", total=options.rounds)
        figures = load("generation.bench.measure")(
            renderer,
            recipe,
            rounds=options.rounds,
            others=[origin(path, options) for path in options.other],
            back=origin(options.path, options),
            peak_tflops=options.peak_tflops,
            on_round=lambda done: progress.update(bar, completed=done),
        )
    table = Table("what", "unit", "median", "least", "most")
    for figure in figures:
        table.add_row(figure.name, figure.unit, *(f"{x:.4g}" for x in (figure.median, *figure.range)))
    plain_console().print(table)
    return 0


def _warn_about_cut(manifest: dict[str, Any]) -> None:
    starts = [start for start in manifest["tokens"]["cut_from"] if start is not None]
    if starts:
        unused = manifest.get("sent_prompt", manifest["prompt"])[min(starts) :]
        plain_console(errors=True).print(
            f"warning: the prompt is too long for the text encoders; without effect was: {unused!r}; "
            "--long-prompts chunks uses it"
        )


def _file_name(info: CheckpointInfo, manifest: dict[str, Any]) -> str:
    """Seed, and a short hash of all that decides the image: other images never overwrite it, the same one may."""
    what = [info.sha256, manifest["recipe_sha256"], manifest["prompt"], manifest["seed"], manifest["loras"]]
    # Only where there is something to add, so that names of plain images stay.
    what += [manifest[name] for name in ("source", "passes") if name in manifest]
    return f"{manifest['seed']}-{canonical_sha256(what)[:12]}.png"


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], Callable[[argparse.ArgumentParser], None], str]] = {
    "seal": (origin_cli.seal, origin_cli.seal_options, "write checkpoint.json beside another trainer's weights"),
    "inspect": (origin_cli.inspect, origin_cli.inspect_options, "check a checkpoint and show what it says of itself"),
    "convert": (origin_cli.convert, origin_cli.convert_options, "write a checkpoint in another form"),
    "render": (_render, _render_options, "render images of a prompt, one PNG a seed"),
    "verify": (_verify, _verify_options, "render a PNG again: exit 0 exact, 3 within 1/255, 4 different"),
    "matchup": (matchup, matchup_options, "render one request by several checkpoints, all or none"),
    "upscale": (upscale, upscale_options, "enlarge a picture by tiles, to any size"),
    "probe": (probe, probe_options, "measure what the paper's appendix shows: prompts, pictures, numbers"),
    "upsample": (upsample, upsample_options, "make longer texts of prompts, once, and keep them in a table"),
    "bench": (_bench, _bench_options, "measure images a second, changes of checkpoint, and what provenance costs"),
}
