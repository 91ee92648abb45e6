"""The samples of every step of a run: from the batch plan, by crops, captions and latents, to this process's share.

A step's whole batch is a pure function of (seed, step). It is cut into the shares of the processes and these into
micro-batches, so that any number of either trains on the very same batches.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from generation.loading import Parts
from training.batch import Batch
from training.buckets import Crop
from training.config import Preset
from training.data import choose_posts
from training.digests import Digests
from training.errors import UserError
from training.latents import CHUNK, LatentCache, encode
from training.loader import Loader
from training.plan import BatchPlan, cut
from training.schedule import Timeline

SAY_SECONDS = 15.0
AHEAD = 2  # steps whose batches are made while one is trained


@dataclass(frozen=True)
class Item:
    """One sample of a step: a row of a pool, in the pool's ``bucket``, captioned for its ``epoch`` of the pool."""

    pool: int
    row: int
    bucket: int
    epoch: int
    place: int


class Feed:
    """What a run trains on, step by step."""

    def __init__(
        self, folder: Path, preset: Preset, parts: Parts, cache: Path, *, rank: int = 0, world: int = 1
    ) -> None:
        """Raises UserError for a data set that is missing, fits no bucket, or does not fit the preset."""
        self._preset, self._parts = preset, parts
        self._rank, self._world = rank, world
        self._cached = preset.latents == "cached"
        self._seed = preset.diffusion.seed
        kinds = [preset.posts] + (["general"] if preset.general_share else [])
        self._pools = [
            Loader(folder, choose_posts(folder, kind), preset.buckets, preset.caption, batch=1, seed=self._seed)
            for kind in kinds
        ]
        self._check_sizes()
        self._plans = lru_cache(None)(self._plans_of)
        self.timeline = Timeline(preset.schedule, preset.diffusion.epochs, preset.diffusion.batch, self._steps_of)
        self._digests, self._cache = Digests(cache), LatentCache(cache, parts.hashes["vae"])
        self._keys: dict[tuple[int, int, int], str] = {}

    def _check_sizes(self) -> None:
        sizes = {bucket.size for pool in self._pools for bucket in pool.buckets}
        cell = self._parts.latent_factor * 2 ** (len(self._parts.unet.config.block_out_channels) - 1)
        wrong = sorted(size for size in sizes if size[0] % cell or size[1] % cell)
        if wrong:
            raise UserError(
                f"this base takes sizes in multiples of {cell}, not {wrong[0][0]}x{wrong[0][1]}: "
                "choose other bucket sets, or a base of another architecture"
            )
        if len(self._pools) > 1 and len(sizes) > 1:
            raise UserError("general_share needs pictures of one size: choose bucket sets with a single size")

    def _plans_of(self, batch: int) -> list[BatchPlan]:
        """A plan of each pool, which share a batch."""
        general = round(batch * self._preset.general_share)
        shares = [batch - general] + ([general] if len(self._pools) > 1 else [])
        if 0 in shares:
            raise UserError(
                f"general_share {self._preset.general_share:g} of a batch of {batch} is {general}, which leaves no "
                "place for one of the two kinds of posts: take a larger batch, or another share"
            )
        return [
            BatchPlan([bucket.rows for bucket in pool.buckets], share, self._seed, self._preset.buckets.remainder)
            for pool, share in zip(self._pools, shares, strict=True)
        ]

    def _steps_of(self, batch: int) -> int:
        steps = self._preset.diffusion.steps_per_epoch or self._plans(batch)[0].steps
        if not steps:
            raise UserError(f"no bucket holds a whole batch of {batch}: take a smaller one, or remainder = 'short'")
        return steps

    def whole(self, step: int) -> list[Item]:
        """All samples of a step, in order.

        With ``steps_per_epoch`` an epoch's steps go on in the data where the last one ended; without, it is one pass.
        """
        epoch, within = self.timeline.place(step)
        items: list[Item] = []
        for pool, plan in enumerate(self._plans(self.timeline.batch(epoch))):
            # Where an epoch is one pass of the first pool, the others still go round by themselves.
            number = step if self._preset.diffusion.steps_per_epoch or pool else None
            turn, at = divmod(number, plan.steps) if number is not None else (epoch, within)
            batch = plan.at(turn, at)
            items += [Item(pool, row, batch.bucket, turn, len(items) + i) for i, row in enumerate(batch.rows)]
        return items

    def shares(self, step: int) -> list[tuple[list[Item], bool]]:
        """This process's micro-batches of a step, and whether each counts.

        All processes have as many; one without a sample left takes the step's first, which counts nothing.
        """
        items = self.whole(step)
        most = self._preset.diffusion.micro_batch or len(items)
        count = math.ceil(math.ceil(len(items) / self._world) / most)
        own = items[cut(len(items), self._rank, self._world)]
        parts = [own[cut(len(own), number, count)] for number in range(count)]
        return [(part or items[:1], bool(part)) for part in parts]

    def batches(self, step: int) -> list[Batch]:
        """This process's micro-batches of a step, on the device."""
        total = len(self.whole(step))
        return [self._batch(items, total, counted) for items, counted in self.shares(step)]

    def _batch(self, items: Sequence[Item], total: int, counted: bool) -> Batch:
        crops = [self._crop(item) for item in items]
        latents = self._latents(items).to(self._parts.device)
        return Batch(
            latents=(latents - self._parts.latent_mean) / self._parts.latent_std,
            captions=[self._pools[item.pool].caption(item.row, item.epoch) for item in items],
            time_ids=torch.tensor([crop.time_ids() for crop in crops], dtype=torch.float32, device=self._parts.device),
            post_ids=tuple(self._pools[item.pool].posts[item.row].id for item in items),
            places=tuple(item.place for item in items),
            total=total,
            counted=counted,
        )

    def encode_all(self, say: Callable[[str], None], stopped: Callable[[], bool]) -> str:
        """Encode what the run needs and the cache lacks, this process's part; returns what all pictures hash to.

        ``say`` gets a line now and then. Where ``stopped`` says so it ends early; what was encoded is kept. The hash is
        empty where latents are not cached.

        Raises:
            UserError: a picture cannot be read, or the disk refuses.
        """
        if not self._cached:
            return ""
        wanted = {self._key(item): item for item in self._needed()}
        missing = sorted(self._cache.missing(wanted), key=lambda key: (self._crop(wanted[key]).target, key))
        self._encode([(key, wanted[key]) for key in missing[self._rank :: self._world]], say, stopped)
        self._cache.flush()
        return hashlib.sha256("".join(sorted(wanted)).encode()).hexdigest()

    def _needed(self) -> Iterator[Item]:
        """Each picture in each of its buckets; in a run shorter than one pass, only those that it comes to."""
        if sum(len(pool.posts) for pool in self._pools) > self.timeline.steps * self.timeline.batch(0):
            yield from (item for step in range(self.timeline.steps) for item in self.whole(step))
            return
        for number, pool in enumerate(self._pools):
            for place, bucket in enumerate(pool.buckets):
                yield from (Item(number, row, place, 0, 0) for row in bucket.rows)

    def _encode(
        self, missing: Sequence[tuple[str, Item]], say: Callable[[str], None], stopped: Callable[[], bool]
    ) -> None:
        last = time.monotonic()
        for size, group in groupby(missing, key=lambda pair: self._crop(pair[1]).target):
            pairs = list(group)
            for first in range(0, len(pairs), CHUNK):
                if stopped():
                    return
                part = pairs[first : first + CHUNK]
                self._cache.add(
                    [key for key, _ in part], encode(self._parts.vae, [self._pixels(item) for _, item in part])
                )
                if time.monotonic() - last > SAY_SECONDS:
                    last = time.monotonic()
                    say(f"encoding pictures of {size[0]}x{size[1]}: {first + len(part)} of {len(pairs)}")

    def reload(self) -> None:
        """See what other processes encoded."""
        self._cache.reload()

    def _latents(self, items: Sequence[Item]) -> torch.Tensor:
        if self._cached:
            return self._cache.get([self._key(item) for item in items])
        return encode(self._parts.vae, [self._pixels(item) for item in items])

    def _pixels(self, item: Item) -> NDArray[np.uint8]:
        return self._pools[item.pool].pixels(item.row, self._crop(item))

    def _crop(self, item: Item) -> Crop:
        return self._pools[item.pool].crop(item.row, item.bucket, item.epoch)

    def _key(self, item: Item) -> str:
        """The name of the item's latent; its file is asked for once in a run."""
        place = (item.pool, item.row, item.bucket)
        if place not in self._keys:
            pool = self._pools[item.pool]
            self._keys[place] = self._cache.key(self._digests.of(pool.pictures, pool.posts[item.row]), self._crop(item))
        return self._keys[place]


class ReadAhead:
    """``make(step)`` for one step after another, made in threads while the steps before are trained."""

    def __init__(self, make: Callable[[int], list[Batch]], steps: int) -> None:
        self._make, self._steps = make, steps
        self._threads = ThreadPoolExecutor(AHEAD)
        self._waiting: dict[int, Future[list[Batch]]] = {}
        self.waited = 0.0  # seconds, all in all

    def __call__(self, step: int) -> list[Batch]:
        """The batches of a step, which the caller waits for where they are not ready."""
        for number in range(step, min(step + 1 + AHEAD, self._steps)):
            if number not in self._waiting:
                self._waiting[number] = self._threads.submit(self._make, number)
        start = time.perf_counter()
        made = self._waiting.pop(step).result()
        self.waited += time.perf_counter() - start
        return made

    def close(self) -> None:
        """Let go of what was made ahead."""
        self._threads.shutdown(cancel_futures=True)
