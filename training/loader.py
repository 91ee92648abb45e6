"""Batches ready to train on, read ahead by threads: pixels cut to their bucket, captions, SDXL's size numbers.

Which pictures a batch holds, their crops and their captions are pure functions of (seed, epoch, step), so that any
number of workers gives the same batches, and a resumed run goes on at any step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.buckets import BucketConfig, Crop, crop_of, fill
from training.caption_config import CaptionConfig
from training.captions import caption
from training.errors import UserError
from training.folder import Pictures, with_vocabulary
from training.plan import BatchPlan
from training.posts import Post
from training.resize import BadImage, decoding, on_white, opened, shrink, upright


@dataclass(frozen=True)
class Sample:
    """One picture of a batch: ``pixels`` (height, width, 3) uint8, its caption and SDXL's six size numbers."""

    post_id: int
    pixels: NDArray[np.uint8]
    caption: str
    time_ids: tuple[int, ...]


class Loader:
    """The samples of a data set by (epoch, step)."""

    def __init__(
        self,
        folder: Path,
        posts: Sequence[Post],
        buckets: BucketConfig,
        captions: CaptionConfig,
        *,
        batch: int,
        seed: int,
    ) -> None:
        """Raises UserError where no picture fits a bucket."""
        self.pictures = Pictures(folder)
        self.posts = posts
        self._config, self._captions, self._seed = buckets, with_vocabulary(captions, folder), seed
        widths, heights = [post.image_width for post in posts], [post.image_height for post in posts]
        self.buckets, self.left_out = fill(widths, heights, buckets)
        if not self.buckets:
            raise UserError(f"no picture of {folder} fits a bucket: choose other bucket sets")
        self.plan = BatchPlan([bucket.rows for bucket in self.buckets], batch, seed, buckets.remainder)

    def load(self, epoch: int, step: int) -> list[Sample]:
        """The samples of one batch. Raises UserError naming the post whose picture cannot be read."""
        batch = self.plan.at(epoch, step)
        return [self._sample(row, batch.bucket, epoch) for row in batch.rows]

    def _sample(self, row: int, bucket: int, epoch: int) -> Sample:
        crop = self.crop(row, bucket, epoch)
        return Sample(self.posts[row].id, self.pixels(row, crop), self.caption(row, epoch), crop.time_ids())

    def caption(self, row: int, epoch: int) -> str:
        """The text of a post in an epoch."""
        return caption(self.posts[row], self._captions, self._seed, epoch).text

    def crop(self, row: int, bucket: int, epoch: int) -> Crop:
        """How a post's picture becomes one of a bucket (its place in ``buckets``) in an epoch."""
        post, size = self.posts[row], self.buckets[bucket].size
        return crop_of((post.image_width, post.image_height), size, self._config, self._seed, post.id, epoch)

    def pixels(self, row: int, crop: Crop) -> NDArray[np.uint8]:
        """The picture resized and cut, (height, width, 3). Raises UserError naming the post where it cannot be read."""
        post = self.posts[row]
        try:
            with opened(self.pictures.data(post)) as image, decoding():
                whole = shrink(on_white(upright(image)), crop.resized)
        except BadImage as error:
            raise UserError(f"the picture of post {post.id} {error}; prepare the set again") from error
        width, height = crop.target
        return np.ascontiguousarray(np.asarray(whole)[crop.top : crop.top + height, crop.left : crop.left + width])

    def batches(self, epoch: int = 0, step: int = 0, *, workers: int = 2, ahead: int = 4) -> Iterator[list[Sample]]:
        """All batches from a step on, epoch after epoch without end; ``ahead`` of them are in the making.

        Decoding and resizing leave Python's lock, so threads do.
        """
        places = self._places(epoch, step)
        with ThreadPoolExecutor(workers) as pool:
            waiting: deque[Future[list[Sample]]] = deque(pool.submit(self.load, *at) for at in islice(places, ahead))
            try:
                while waiting:
                    found = waiting.popleft().result()
                    waiting.extend(pool.submit(self.load, *at) for at in islice(places, 1))
                    yield found
            finally:
                for future in waiting:
                    future.cancel()

    def _places(self, epoch: int, step: int) -> Iterator[tuple[int, int]]:
        while self.plan.steps:
            yield from ((epoch, number) for number in range(step, self.plan.steps))
            epoch, step = epoch + 1, 0
