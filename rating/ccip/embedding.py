"""Images through a net in bounded chunks, decoded by a pool of threads ahead of it."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from rating.ccip.errors import CCIPError, ImageError
from rating.ccip.features import Vectors
from rating.ccip.nets import CHUNKS, CPU, Nets
from rating.ccip.pictures import Picture
from rating.ccip.preprocess import Pixels, Preprocess

GPU_THREADS = 8

Found = Vectors | CCIPError


@dataclass(frozen=True)
class Lanes:
    """How many chunks are worked on at a time, and how many images are a chunk; None is the provider's default: of
    threads `cores` on a CPU, 8 ahead of a GPU.

    On a CPU each thread decodes and runs the net by itself, on one core: two of them embed more in a second than one
    run on two cores (docs/ccip.md). On a GPU the threads decode, and the net is run by one at a time.
    """

    threads: int | None = None
    chunk: int | None = None
    cores: int = 1
    gpu: Lock = field(default_factory=Lock)

    def of(self, provider: str) -> tuple[int, int]:
        """Threads and chunk."""
        threads = self.cores if provider == CPU else min(GPU_THREADS, os.cpu_count() or 1)
        return self.threads or threads, self.chunk or CHUNKS.get(provider, 1)


def embedded(
    pictures: list[Picture], preprocess: Preprocess, nets: Nets, lanes: Lanes
) -> Iterator[tuple[Picture, Found]]:
    """Each picture with its feature (dim,), or with what is wrong with it, in their order."""
    provider = nets.provider
    threads, size = lanes.of(provider)
    turn = nullcontext() if provider == CPU else lanes.gpu

    def work(chunk: list[Picture]) -> list[Found]:
        decoded = [_pixels(picture, preprocess) for picture in chunk]
        pixels = [one for one in decoded if not isinstance(one, ImageError)]
        if not pixels:
            return [one for one in decoded if isinstance(one, ImageError)]
        with turn:
            vectors = iter(nets.features(np.stack(pixels)))
        return [one if isinstance(one, ImageError) else next(vectors) for one in decoded]

    chunks = [pictures[at : at + size] for at in range(0, len(pictures), size)]
    for chunk, found in zip(chunks, _in_order(work, chunks, threads), strict=True):
        yield from zip(chunk, found, strict=True)


def _pixels(picture: Picture, preprocess: Preprocess) -> Pixels | ImageError:
    try:
        return preprocess(picture.rgb())
    except ImageError as error:
        return error


def _in_order(
    work: Callable[[list[Picture]], list[Found]], chunks: list[list[Picture]], threads: int
) -> Iterator[list[Found]]:
    """Results in the order of the chunks; never more than twice `threads` chunks are under way."""
    pending: deque[Future[list[Found]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ccip")
    try:
        for chunk in chunks:
            pending.append(pool.submit(work, chunk))
            if len(pending) > 2 * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
