"""``python -m training attributes``: trains the attribute check and prints how well it does on held-out renders."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import save_file

from generation.files import whole, write_json
from training.arguments import positive
from training.attributes import VALUES, Match, format_table
from training.attributes_net import INFO_FILE, WEIGHTS_FILE, AttributeNet
from training.attributes_training import Settings, blur, labels, load_renders, measure, split, train_net
from training.errors import UserError
from training.posts import Post
from training.sources import read_posts

SOFT_SIGMA = 1.0


def main(argv: Sequence[str]) -> int:
    """Train, measure and write the check; 0 when done. Raises UserError for what the user can fix."""
    arguments = _parser().parse_args(argv)
    torch.set_num_threads(arguments.threads)
    settings = Settings(seed=arguments.seed, epochs=arguments.epochs)
    _check_target(arguments.out)
    posts = read_posts(arguments.data)
    training, held = split(posts, settings.seed)
    if not training or not held:
        raise UserError(f"{arguments.data} has {len(posts)} posts, too few to hold some out: make at least 100")
    dataset = _manifest(arguments.data)
    started = time.process_time()
    net = _train(arguments.data, training, settings)
    images = load_renders(arguments.data, held).float() / 255
    clean, soft = measure(net, images, held), measure(net, blur(images, SOFT_SIGMA), held)
    seconds = time.process_time() - started
    print(f"{len(held)} held-out renders, as they are:\n{format_table(clean)}")
    print(f"\nthe same, blurred by {SOFT_SIGMA} px:\n{format_table(soft)}")
    info = {
        "values": {name: list(values) for name, values in VALUES.items()},
        "seed": settings.seed,
        "epochs": settings.epochs,
        "posts": len(training),
        "posts_sha256": dataset["posts_sha256"],
        "images_sha256": dataset["images_sha256"],
        "cpu_seconds": round(seconds, 1),
        "held_out": _shares(clean),
        "held_out_blurred": _shares(soft),
    }
    _write(arguments.out, net, info)
    print(f"\ncheck written to {arguments.out} after {seconds:.0f} CPU seconds")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training attributes", description="Train the attribute check on a data set's renders."
    )
    parser.add_argument("--data", type=Path, required=True, help="the data set's folder")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the check to (replaced if it is one)")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    parser.add_argument("--epochs", type=positive, default=Settings.epochs, help=f"default {Settings.epochs}")
    parser.add_argument("--threads", type=positive, default=1, help="CPU threads (default 1)")
    return parser


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "dataset.json"
    if not path.is_file():
        raise UserError(f"{path} is missing: make the data set with `python -m training dataset demo`")
    manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return manifest


def _check_target(out: Path) -> None:
    if out.exists() and not (out / INFO_FILE).is_file():
        raise UserError(f"{out} exists and is not an attribute check: choose another --out")


def _train(folder: Path, posts: Sequence[Post], settings: Settings) -> AttributeNet:
    images, targets = load_renders(folder, posts), labels(posts)
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        task = progress.add_task("", total=None, loss=float("nan"))
        return train_net(
            images,
            targets,
            settings,
            lambda step, steps, loss: progress.update(task, completed=step, total=steps, loss=loss),
        )


def _shares(rows: Sequence[Match]) -> dict[str, float]:
    return {row.attribute: round(row.share, 4) for row in rows}


def _write(out: Path, net: AttributeNet, info: dict[str, Any]) -> None:
    """Write the check; an older one is removed only once the new one is whole."""
    with whole(out) as building:
        building.mkdir(parents=True)
        save_file(net.state_dict(), building / WEIGHTS_FILE)
        write_json(building / INFO_FILE, info)
