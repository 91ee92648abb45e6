"""One trainer in a process of its own: `python -m tests.benchmarks.training.trainers WHO FOLDER SEED`.

WHO is `ours`, `ready` (ours, on batches that are made before) or `plain` (diffusers' parts). Prints as JSON the
processor milliseconds of the median step, wall milliseconds of the mean one, the most megabytes that the process held,
and the losses.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from generation.loading import load_parts
from tests.benchmarks.ccip.worker import highest
from tests.benchmarks.training.plain_loop import Pictures, PlainLoop, Recipe
from training.buckets import BucketConfig, BucketSet
from training.caption_config import TINY
from training.config import Preset
from training.data import choose_posts
from training.display import quieten_libraries
from training.engine import Trainer
from training.feed import Feed, ReadAhead
from training.loader import Loader
from training.noise import draw
from training.train_config import DiffusionConfig, ObjectiveConfig, OptimizerConfig, ScheduleConfig

STEPS, WARM, COMPARED = 24, 4, 6
BATCH = 16
SIZE = BucketConfig((BucketSet(64 * 64 / 2**20, step=64, min_side=64, max_side=64),))
PRESET = Preset(
    name="race",
    title="race",
    posts="general",
    buckets=SIZE,
    caption=replace(TINY, tag_dropout=0.0, uncond_rate=0.0),
    objective=ObjectiveConfig(weighting="none", input_perturbation=0.0, noise_offset=0.0, pad_mask=False),
    optimizer=OptimizerConfig(unet_lr=1e-4, text_lr=0.0, ema=0.999),
    schedule=ScheduleConfig(kind="cosine"),
    diffusion=DiffusionConfig(epochs=1, steps_per_epoch=STEPS, batch=BATCH),
)
OPTIMIZER = PRESET.optimizer
RECIPE = Recipe(BATCH, STEPS, OPTIMIZER.unet_lr, OPTIMIZER.betas, OPTIMIZER.weight_decay, OPTIMIZER.ema, 1.0)


def feed_of(folder: Path, seed: int) -> Feed:
    """Our batches, their latents encoded already."""
    preset = replace(PRESET, diffusion=replace(PRESET.diffusion, seed=seed))
    feed = Feed(folder / "dataset", preset, load_parts(folder / "base"), folder / "latents")
    feed.encode_all(lambda text: None, lambda: False)
    feed.reload()
    return feed


def pool_of(folder: Path, seed: int) -> Loader:
    """The posts that our batches are of."""
    data = folder / "dataset"
    return Loader(data, choose_posts(data, PRESET.posts), SIZE, PRESET.caption, batch=1, seed=seed)


def ours(folder: Path, seed: int, *, ready: bool = False) -> Timed:
    """Our trainer's steps."""
    feed = feed_of(folder, seed)
    batches = ReadAhead(feed.batches, STEPS)
    made = [batches(step) for step in range(STEPS)] if ready else []
    preset = replace(PRESET, diffusion=replace(PRESET.diffusion, seed=seed))
    source = made.__getitem__ if ready else batches
    trainer = Trainer(load_parts(folder / "base"), preset, feed.timeline, source)
    found = timed(lambda step: trainer.advance().loss)
    batches.close()
    return found


def plain(folder: Path, seed: int) -> Timed:
    """The plain loop's steps, on the same pictures and captions in its own order."""
    loop = PlainLoop(folder / "base", RECIPE)
    torch.manual_seed(seed)
    batches = loop.loader(pictures(folder, seed), seed)
    return timed(lambda step: loop.step(*next(batches)))


def pictures(folder: Path, seed: int) -> Pictures:
    """The files of our pool with its captions."""
    pool = pool_of(folder, seed)
    files = [folder / "dataset" / str(post.file_path) for post in pool.posts]
    return Pictures(files, [pool.caption(row, 0) for row in range(len(pool.posts))])


@dataclass(frozen=True)
class Timed:
    """Processor seconds, all threads together, and wall seconds of the steps after those that warm up; all losses."""

    seconds: list[float]
    wall: list[float]
    losses: list[float]


def timed(step: Callable[[int], float]) -> Timed:
    """Every step in turn."""
    seconds, wall, losses = list[float](), list[float](), list[float]()
    for number in range(STEPS):
        begin, begun = time.process_time(), time.perf_counter()
        losses.append(step(number))
        seconds.append(time.process_time() - begin)
        wall.append(time.perf_counter() - begun)
    return Timed(seconds[WARM:], wall[WARM:], losses)


def refuse_unequal(folder: Path) -> None:
    """Raise ValueError where both, on the very same batches and noise, do not have the same losses."""
    feed, loop = feed_of(folder, 0), PlainLoop(folder / "base", RECIPE)
    trainer = Trainer(load_parts(folder / "base"), PRESET, feed.timeline, feed.batches)
    pool = pool_of(folder, 0)
    by_id = {post.id: row for row, post in enumerate(pool.posts)}
    files = pictures(folder, 0)
    for step in range(COMPARED):
        (batch,) = feed.batches(step)
        drawn = draw(batch.latents.shape[1:], PRESET.objective, 0, step, batch.places)
        pixels = torch.stack([files[by_id[post]][0] for post in batch.post_ids])
        own, other = trainer.advance().loss, loop.step(pixels, batch.captions, (drawn.noise, drawn.timesteps))
        if not abs(own - other) < 1e-3 * other:
            raise ValueError(f"at step {step} the losses are {own:.6f} and {other:.6f}: this is no race")


if __name__ == "__main__":
    who, where, number = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    quieten_libraries()
    torch.set_num_threads(1)
    if who == "equal":
        refuse_unequal(where)
        sys.exit()
    entrants = {"ours": ours, "ready": lambda *place: ours(*place, ready=True), "plain": plain}
    found = entrants[who](where, number)
    ms = {"ms": 1e3 * statistics.median(found.seconds), "wall_ms": 1e3 * statistics.fmean(found.wall)}
    print(json.dumps({**ms, "mb": highest(), "losses": found.losses}))
