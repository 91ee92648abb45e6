"""Batches on their way to training: the same for any number of workers, from any step, every picture once."""

from itertools import islice

import numpy as np
import pytest
from PIL import Image

from tests.training.preparing import SMALL, post, run, write
from training.buckets import BucketConfig, BucketSet
from training.caption_config import CaptionConfig
from training.captions import caption
from training.errors import UserError
from training.loader import Loader
from training.posts import to_record
from training.sources import read_posts

TINY_BUCKETS = BucketConfig((BucketSet(0.001, step=8, min_side=16, max_side=64, enlarge=3),))
CAPTIONS = CaptionConfig(tag_dropout=0.5)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loader")
    sizes = [(30 + 3 * (number % 5), 30) for number in range(1, 27)]
    source = write(folder / "source", [to_record(post(number, size)) for number, size in enumerate(sizes, 1)])
    run(source, folder / "out")
    return folder / "out"


def loader(prepared, **changes):
    settings = {"batch": 4, "seed": 3} | changes
    return Loader(prepared, read_posts(prepared), TINY_BUCKETS, CAPTIONS, **settings)


def same(one, other):
    return all(
        (a.post_id, a.caption, a.time_ids) == (b.post_id, b.caption, b.time_ids) and np.array_equal(a.pixels, b.pixels)
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_any_number_of_workers_gives_the_same_batches(prepared, workers):
    plan = loader(prepared).plan
    expected = [loader(prepared).load(epoch, step) for epoch in range(2) for step in range(plan.steps)]
    found = list(islice(loader(prepared).batches(workers=workers, ahead=3), 2 * plan.steps))
    assert all(map(same, found, expected))


def test_every_picture_once_an_epoch_and_going_on_anywhere(prepared):
    one = loader(prepared)
    epoch = list(islice(one.batches(epoch=5), one.plan.steps))
    assert sorted(sample.post_id for batch in epoch for sample in batch) == [entry.id for entry in read_posts(prepared)]
    [resumed] = islice(loader(prepared).batches(epoch=5, step=3), 1)
    assert same(resumed, epoch[3])


def test_a_sample_is_cut_to_its_bucket_with_its_caption_of_the_epoch(prepared):
    one, posts = loader(prepared), {entry.id: entry for entry in read_posts(prepared)}
    for step in range(one.plan.steps):
        size = one.buckets[one.plan.at(2, step).bucket].size
        for sample in one.load(2, step):
            entry = posts[sample.post_id]
            assert sample.pixels.shape == (size[1], size[0], 3)
            assert sample.caption == caption(entry, CAPTIONS, 3, 2).text
            assert sample.time_ids[:2] == (entry.image_height, entry.image_width)
            assert sample.time_ids[4:] == size[::-1]


def test_pixels_are_those_of_the_file(tmp_path):
    source = write(tmp_path / "source", [to_record(post(1, (32, 32)))])
    run(source, tmp_path / "out", SMALL)
    config = BucketConfig((BucketSet(0.001, step=32, min_side=32, max_side=32),))
    [[sample]] = islice(
        Loader(tmp_path / "out", read_posts(tmp_path / "out"), config, CAPTIONS, batch=1, seed=0).batches(), 1
    )
    with Image.open(source / "1.png") as image:
        assert np.array_equal(sample.pixels, np.asarray(image))


def test_pictures_that_fit_no_bucket_are_named(prepared):
    config = BucketConfig((BucketSet(1.0, enlarge=1.0),))
    with pytest.raises(UserError, match="fits a bucket"):
        Loader(prepared, read_posts(prepared), config, CAPTIONS, batch=4, seed=0)
