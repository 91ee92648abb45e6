"""What every step trains on: the same batches however they are cut, from prepared sets and plain ones, by content."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch

from generation.loading import Parts, load_parts
from tests.training.conftest import SMALL as SMALL_ARCHITECTURE
from tests.training.conftest import SMALL_PRESET
from tests.training.preparing import SMALL, post, run, write
from training.batch import Batch
from training.buckets import BucketConfig, BucketSet, Crop
from training.config import Preset
from training.data import choose_posts
from training.errors import UserError
from training.feed import Feed, ReadAhead
from training.images import load_images, to_float
from training.latents import LatentCache, encode
from training.modules import build_unet
from training.posts import to_record
from training.train_config import DiffusionConfig, ScheduleConfig

# Two sets, so that larger pictures stand in two buckets; sides are multiples of the small base's 8.
BUCKETS = BucketConfig((BucketSet(0.001, step=8, min_side=16, max_side=64, enlarge=3),
                        BucketSet(0.002, step=16, min_side=32, max_side=64, enlarge=2)))  # fmt: skip
PASSES = replace(SMALL_PRESET, posts="all", general_share=0.0, buckets=BUCKETS,
                 diffusion=DiffusionConfig(epochs=3, batch=6))  # fmt: skip
Watched = Callable[[Preset], Feed]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("feed")
    sizes = [(30 + 4 * (number % 5), 30) for number in range(1, 27)] + [(64, 48)] * 3
    source = write(folder / "source", [to_record(post(number, size)) for number, size in enumerate(sizes, 1)])
    run(source, folder / "out", SMALL)
    return folder / "out"


@pytest.fixture(scope="module")
def parts(small_base: Path) -> Parts:
    return load_parts(small_base)


def feed(prepared: Path, parts: Parts, cache: Path, preset: Preset = PASSES, rank: int = 0, world: int = 1) -> Feed:
    made = Feed(prepared, preset, parts, cache, rank=rank, world=world)
    made.encode_all(lambda text: None, lambda: False)
    return made


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.latents, other.latents) and one.captions == other.captions


def joined(batches: list[Batch]) -> Batch:
    """Micro-batches as one."""
    return replace(
        batches[0],
        latents=torch.cat([batch.latents for batch in batches]),
        captions=list(chain.from_iterable(batch.captions for batch in batches)),
        post_ids=tuple(chain.from_iterable(batch.post_ids for batch in batches)),
        places=tuple(chain.from_iterable(batch.places for batch in batches)),
    )


@pytest.mark.parametrize("world", [1, 2, 4])
@pytest.mark.parametrize("micro", [0, 1, 2])
def test_processes_and_micro_batches_together_are_the_plan(
    world: int, micro: int, prepared: Path, parts: Parts, tmp_path: Path
) -> None:
    """Also the short batches at a bucket's end, which leave processes without a sample."""
    alone = feed(prepared, parts, tmp_path)
    preset = replace(PASSES, diffusion=replace(PASSES.diffusion, micro_batch=micro))
    together = [feed(prepared, parts, tmp_path, preset, rank, world) for rank in range(world)]
    for step in range(alone.timeline.length(0)):
        [whole] = alone.batches(step)
        found = [one.batches(step) for one in together]
        assert len({len(batches) for batches in found}) == 1  # as many forward passes in every process
        counted = joined([batch for batches in found for batch in batches if batch.counted])
        assert same(counted, whole)
        assert (counted.post_ids, counted.places) == (whole.post_ids, tuple(range(whole.total)))
        assert all(batch.total == whole.total for batches in found for batch in batches)
        assert not micro or max(len(batch.captions) for batches in found for batch in batches) <= micro


def test_an_epoch_is_one_pass_over_every_bucket(prepared: Path, parts: Parts, tmp_path: Path) -> None:
    made = feed(prepared, parts, tmp_path)
    expected = Counter((place, row) for place, bucket in enumerate(made._pools[0].buckets) for row in bucket.rows)
    assert len(made._pools[0].buckets) == 3
    for epoch in range(2):
        steps = range(epoch * made.timeline.length(0), (epoch + 1) * made.timeline.length(0))
        items = list(chain.from_iterable(made.whole(step) for step in steps))
        assert Counter((item.bucket, item.row) for item in items) == expected
        assert {item.epoch for item in items} == {epoch}


def test_a_batch_is_of_one_size_and_says_how_its_pictures_were_cut(
    prepared: Path, parts: Parts, tmp_path: Path
) -> None:
    made = feed(prepared, parts, tmp_path)
    by_id = {one.id: one for one in choose_posts(prepared, "all")}
    for step in range(made.timeline.length(0)):
        [batch] = made.batches(step)
        height, width = (4 * side for side in batch.latents.shape[2:])
        for post_id, ids in zip(batch.post_ids, batch.time_ids.tolist(), strict=True):
            entry = by_id[post_id]
            assert ids[:2] == [entry.image_height, entry.image_width]
            assert ids[4:] == [height, width]
            scale = max(width / entry.image_width, height / entry.image_height)
            room = round(entry.image_height * scale) - height, round(entry.image_width * scale) - width
            assert ids[2:4] == [max(0, room[0]) // 2, max(0, room[1]) // 2]


def test_an_epoch_of_fixed_length_goes_on_in_the_data(small_data: Path, parts: Parts, tmp_path: Path) -> None:
    """Four steps of three named posts and a general one: the named ones go round once in eight steps."""
    made = feed(
        small_data,
        parts,
        tmp_path,
        replace(SMALL_PRESET, diffusion=DiffusionConfig(epochs=6, steps_per_epoch=4, batch=4)),
    )
    items = [made.whole(step) for step in range(24)]
    assert {tuple(item.pool for item in batch) for batch in items} == {(0, 0, 0, 1)}
    named = [(item.epoch, item.row) for batch in items for item in batch if item.pool == 0]
    assert sorted(named) == sorted((turn, row) for turn in range(3) for row in range(24))


def test_the_adaptive_batch_goes_over_the_data_once_an_epoch(prepared: Path, parts: Parts, tmp_path: Path) -> None:
    preset = replace(PASSES, schedule=ScheduleConfig(milestones=(1,)))
    made = feed(prepared, parts, tmp_path, preset)
    assert [made.timeline.batch(epoch) for epoch in range(3)] == [6, 12, 12]
    first = made.timeline.length(0)
    items = list(chain.from_iterable(made.whole(step) for step in range(first, first + made.timeline.length(1))))
    assert len({(item.bucket, item.row) for item in items}) == len(items)
    assert sum(len(bucket.rows) for bucket in made._pools[0].buckets) == len(items)


def test_latents_are_those_of_the_pictures_cached_or_not(small_data: Path, parts: Parts, tmp_path: Path) -> None:
    preset = replace(SMALL_PRESET, latents="encoded")
    cached, encoded = feed(small_data, parts, tmp_path), feed(small_data, parts, tmp_path / "none", preset)
    cached = feed(small_data, parts, tmp_path, SMALL_PRESET)
    assert not (tmp_path / "none").exists()
    [one], [other] = cached.batches(3), encoded.batches(3)
    assert same(one, other)
    posts = {entry.id: entry for entry in choose_posts(small_data, "all")}
    with torch.no_grad():
        images = to_float(load_images(small_data, [posts[number] for number in one.post_ids], 64))
        means = parts.vae.encode(images).latent_dist.mean
    assert torch.allclose(one.latents, (means - parts.latent_mean) / parts.latent_std, atol=1e-4)


def test_a_latents_bits_do_not_depend_on_its_neighbours(parts: Parts) -> None:
    random = np.random.Generator(np.random.Philox(key=0))
    pictures = [random.integers(0, 256, (32, 40, 3), np.uint8) for _ in range(11)]
    together = encode(parts.vae, pictures)
    assert torch.equal(encode(parts.vae, pictures[::-1]).flip(0), together)
    assert torch.equal(torch.cat([encode(parts.vae, [picture]) for picture in pictures]), together)


def written(cache: Path) -> int:
    return len(list(cache.glob("latents-*.safetensors")))


def test_the_cache_is_keyed_by_content(prepared: Path, parts: Parts, tmp_path: Path) -> None:
    """A copy of the set finds its latents; other bytes, another autoencoder or another cut do not."""
    cache = tmp_path / "latents"
    first = feed(prepared, parts, cache)
    assert written(cache) == 1
    copy = tmp_path / "copy"
    shutil.copytree(prepared, copy)
    again = feed(copy, parts, cache)
    assert written(cache) == 1
    assert same(again.batches(0)[0], first.batches(0)[0])
    feed(prepared, replace(parts, hashes={**parts.hashes, "vae": "another"}), cache)
    assert written(cache) == 2
    other_sizes = BucketConfig((BucketSet(0.0015, step=8, min_side=16, max_side=64, enlarge=3),))
    feed(prepared, parts, cache, replace(PASSES, buckets=other_sizes))
    assert written(cache) == 3
    [shard] = copy.rglob("*.tar")
    data = bytearray(shard.read_bytes())
    entry = choose_posts(copy, "all")[0]
    data[entry.shard_offset + entry.shard_bytes - 1] ^= 1  # the last byte of the PNG's checksum of its end
    shard.write_bytes(data)
    changed = Feed(copy, PASSES, parts, cache)
    assert changed.encode_all(lambda text: None, lambda: False) != first.encode_all(lambda text: None, lambda: False)


def test_how_many_are_encoded_at_once_is_in_the_key_where_it_is_not_eight(tmp_path: Path) -> None:
    """Caches of 512 x 512 and less stay; larger pictures by an encoder that takes other numbers are other latents."""
    cache = LatentCache(tmp_path, "vae")

    def of(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    assert cache.key("picture", Crop((2000, 2000), (600, 512), 44, 0, (512, 512))) == of(
        "picture:vae:600:512:44:0:512:512"
    )
    two = cache.key("picture", Crop((2000, 2000), (1024, 1024), 0, 0, (1024, 1024)))
    assert two == of("picture:vae:1024:1024:0:0:1024:1024:2 at once")
    one = cache.key("picture", Crop((2000, 2000), (1536, 1536), 0, 0, (1536, 1536)))
    assert one == of("picture:vae:1536:1536:0:0:1536:1536:1 at once")


def test_two_processes_fill_one_cache(prepared: Path, parts: Parts, tmp_path: Path) -> None:
    halves = [Feed(prepared, PASSES, parts, tmp_path, rank=rank, world=2) for rank in range(2)]
    hashes = {half.encode_all(lambda text: None, lambda: False) for half in halves}
    assert len(hashes) == 1
    assert written(tmp_path) == 2
    for half in halves:
        half.reload()
        half.batches(0)


def test_a_stop_keeps_what_was_encoded(prepared: Path, parts: Parts, tmp_path: Path) -> None:
    looks = iter([False, True])
    Feed(prepared, PASSES, parts, tmp_path).encode_all(lambda text: None, lambda: next(looks))
    assert written(tmp_path) == 1
    feed(prepared, parts, tmp_path)
    assert written(tmp_path) == 2


def test_a_damaged_cache_and_damaged_digests_are_named(prepared: Path, parts: Parts, tmp_path: Path) -> None:
    feed(prepared, parts, tmp_path)
    digests = tmp_path / "digests.jsonl"
    whole = digests.read_text()
    digests.write_text(whole[:-20])  # half a line, as a kill leaves it
    for _ in range(2):
        feed(prepared, parts, tmp_path)
    assert set(whole.splitlines()) <= set(digests.read_text().splitlines())
    digests.write_text("{]\n" + whole)
    with pytest.raises(UserError, match=r"digests.jsonl is damaged .*delete it"):
        feed(prepared, parts, tmp_path)
    digests.unlink()
    [file] = tmp_path.glob("latents-*.safetensors")
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(UserError, match=r"latents-.* is damaged .*delete it"):
        feed(prepared, parts, tmp_path)


def test_sizes_that_the_base_cannot_take_are_refused(prepared: Path, parts: Parts, tmp_path: Path) -> None:
    deeper = build_unet(replace(SMALL_ARCHITECTURE, unet_channels=(8, 8, 8, 8), unet_heads=(1, 1, 1, 1)))
    with pytest.raises(UserError, match=r"takes sizes in multiples of 32, not .*another architecture"):
        Feed(prepared, PASSES, replace(parts, unet=deeper), tmp_path)


def test_a_general_share_needs_one_size(small_data: Path, parts: Parts, tmp_path: Path) -> None:
    sets = tuple(BucketSet(side * side / 2**20, step=side, min_side=side, max_side=side) for side in (32, 64))
    with pytest.raises(UserError, match="general_share needs pictures of one size"):
        Feed(small_data, replace(SMALL_PRESET, buckets=BucketConfig(sets)), parts, tmp_path)


@pytest.mark.parametrize(("batch", "share"), [(2, 0.25), (1, 0.9)])
def test_a_batch_too_small_for_both_kinds_of_posts_is_refused(
    batch: int, share: float, small_data: Path, parts: Parts, tmp_path: Path
) -> None:
    preset = replace(SMALL_PRESET, general_share=share, diffusion=DiffusionConfig(batch=batch, steps_per_epoch=1))
    with pytest.raises(UserError, match=f"general_share {share} of a batch of {batch} is .*take a larger batch"):
        feed(small_data, parts, tmp_path, preset)


def test_reading_ahead_gives_what_was_asked_for_and_passes_errors_on() -> None:
    def make(step: int) -> list[Batch]:
        if step == 3:
            raise UserError("post 7 cannot be read")
        return [step]  # type: ignore[list-item]

    ahead = ReadAhead(make, 5)
    assert [ahead(step) for step in range(3)] == [[0], [1], [2]]
    with pytest.raises(UserError, match="post 7"):
        ahead(3)
    ahead.close()
