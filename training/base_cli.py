"""``python -m training base STAGE``: the tiny base, from nothing to committed files, and back to whole folders."""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL

from generation.files import whole, write_json
from training.attributes import format_table
from training.attributes_cli import main as attributes_main
from training.attributes_net import load_checker
from training.base_files import FOLDER, export_base, unpack_base
from training.config import HOME, Preset, load_preset, to_mapping
from training.data import choose_posts
from training.display import TerminalDisplay, quieten_libraries
from training.errors import UserError
from training.folder import read_manifest
from training.images import load_images, to_float
from training.losses import psnr
from training.measure import measure, sheet
from training.run import Run, RunPlan
from training.signals import stop_on_signal
from training.sources import read_posts
from training.start import write_start
from training.vae_training import VaeProgress, reconstruct, train_vae

SHEET_COLUMNS = 16


def main(argv: Sequence[str]) -> int:
    """Run one stage, or all of them; 0 when done. Raises UserError for what the user can fix."""
    arguments = _parser().parse_args(argv)
    torch.set_num_threads(arguments.threads)
    quieten_libraries()
    arguments.action(arguments)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training base", description="Train the tiny base from nothing.")
    actions = parser.add_subparsers(required=True, metavar="STAGE")
    stages: dict[str, tuple[Callable[[argparse.Namespace], None], str]] = {
        "vae": (_vae, "train the autoencoder (resumes)"),
        "start": (_start, "write the untrained start over the trained autoencoder"),
        "train": (_train, "train U-Net and text encoders, a checkpoint per epoch (resumes)"),
        "measure": (_measure, "render held-out prompts of the exported epochs and print the attribute tables"),
        "export": (_export, "write the committed files and their manifest"),
        "unpack": (_unpack, "assemble whole checkpoint folders from the committed files"),
        "all": (_all, "vae, start, train, measure, export"),
    }
    for name, (action, summary) in stages.items():
        stage = actions.add_parser(name, help=summary)
        stage.add_argument("--data", type=Path, default=HOME / "dataset", help="data set folder (default %(default)s)")
        stage.add_argument(
            "--out",
            type=Path,
            default=HOME / ("base" if name == "unpack" else "base-build"),
            help="where the stage works (default %(default)s)",
        )
        stage.add_argument("--preset", default="base", help="default %(default)s")
        stage.add_argument(
            "--checker", type=Path, default=HOME / "attributes", help="attribute check's folder (default %(default)s)"
        )
        stage.add_argument(
            "--epochs",
            type=_epochs,
            default=(1, 2, 4, 16),
            help="epochs to measure and export, the last is the base (default 1,2,4,16)",
        )
        stage.add_argument("--to", type=Path, default=FOLDER, help="the committed files (default %(default)s)")
        stage.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads (default %(default)s)")
        stage.set_defaults(action=action)
    return parser


def _epochs(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _all(arguments: argparse.Namespace) -> None:
    if not arguments.checker.is_dir():
        attributes_main(["--data", str(arguments.data), "--out", str(arguments.checker)])
    for stage in (_vae, _start, _train, _measure, _export):
        stage(arguments)


def _vae(arguments: argparse.Namespace) -> None:
    preset = load_preset(arguments.preset)
    target = arguments.out / "vae"
    if target.exists():
        print(f"{target} is there already")
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    posts = [post for post in read_posts(arguments.data) if not post.character]
    images = load_images(arguments.data, posts, preset.architecture.image_size)
    vae = train_vae(images, preset.architecture, preset.vae, arguments.out / "vae.pt", _print_vae)
    with whole(target) as partial:
        vae.save_pretrained(partial)
        # CPU time of the process that finished it: the whole training, unless it was resumed.
        write_json(arguments.out / "vae.json", {"steps": preset.vae.steps, "cpu_s": round(time.process_time())})


def _print_vae(progress: VaeProgress) -> None:
    print(f"vae step {progress.step}/{progress.steps}, loss {progress.loss:.4f}, "
          f"held-out PSNR {progress.psnr:.2f} dB, {time.process_time():.0f} CPU s", flush=True)  # fmt: skip


def _start(arguments: argparse.Namespace) -> None:
    preset = load_preset(arguments.preset)
    manifest = read_manifest(arguments.data)
    vae = AutoencoderKL.from_pretrained(arguments.out / "vae").eval()
    fields = {
        "run": "untrained start",
        "epoch": 0,
        "step": 0,
        "name": "untrained start",
        "preset": preset.name,
        "licence": "CC-BY-4.0",  # of the style that the demo's pictures are drawn in
        "attribution": manifest["styles"][0]["attribution"],
        "dataset": {"posts_sha256": manifest["posts_sha256"]},
        "config": to_mapping(preset),
    }
    general = choose_posts(arguments.data, "general")
    write_start(arguments.out / "start", vae, read_posts(arguments.data), general, arguments.data,
                preset.architecture, preset.diffusion.seed, fields)  # fmt: skip


def _train(arguments: argparse.Namespace) -> None:
    preset = load_preset(arguments.preset)
    stop = threading.Event()
    with stop_on_signal(stop), TerminalDisplay() as display:
        Run(RunPlan(preset, arguments.data, arguments.out / "start", arguments.out / "run"), display, stop).train()


def _measure(arguments: argparse.Namespace) -> None:
    checker = load_checker(arguments.checker)
    posts = choose_posts(arguments.data, "held_out")
    rows, figures = [], {}
    for epoch in arguments.epochs:
        measured = measure(_epoch_folder(arguments.out, epoch), posts, checker)
        print(f"epoch {epoch}, {len(posts)} held-out prompts\n{format_table(measured.rows)}\n", flush=True)
        figures[str(epoch)] = measured.shares()
        rows.append(measured.images[:SHEET_COLUMNS])
    sheet(rows).save(arguments.out / "sheet.png")
    quality = _psnr(arguments, load_preset(arguments.preset))
    autoencoder = json.loads((arguments.out / "vae.json").read_text("utf-8")) | {"psnr_db": quality}
    found = {"attribute_match": figures, "prompts": len(posts), "autoencoder": autoencoder}
    write_json(arguments.out / "figures.json", found)


def _psnr(arguments: argparse.Namespace, preset: Preset) -> float:
    """PSNR in dB of the autoencoder on the images that it never saw."""
    posts = choose_posts(arguments.data, "held_out")
    images = to_float(load_images(arguments.data, posts, preset.architecture.image_size))
    return round(psnr(reconstruct(AutoencoderKL.from_pretrained(arguments.out / "vae").eval(), images), images), 2)


def _export(arguments: argparse.Namespace) -> None:
    figures: dict[str, Any] = json.loads((arguments.out / "figures.json").read_text("utf-8"))
    folders = [_epoch_folder(arguments.out, epoch) for epoch in arguments.epochs]
    size = export_base(folders, arguments.to, figures, arguments.out / "run" / "log.jsonl")
    print(f"{len(folders)} checkpoints in {arguments.to}, {size / 1e6:.1f} MB")


def _unpack(arguments: argparse.Namespace) -> None:
    for folder in unpack_base(arguments.out, arguments.to):
        print(folder)


def _epoch_folder(out: Path, epoch: int) -> Path:
    folder = out / "run" / f"epoch-{epoch:02d}"
    if not folder.is_dir():
        raise UserError(f"{folder} is missing: run `python -m training base train` first")
    return folder
