"""Bucket lists against the specification's measured table, assignments against a search by hand, crops inside."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.buckets import HIGH, SMALL, STANDARD, BucketConfig, BucketSet, assign, crop_of, fill


def worst_crop(buckets):
    ratios = [width / height for width, height in buckets.sizes()]
    wanted = np.exp(np.linspace(np.log(min(ratios)), np.log(max(ratios)), 20_001))
    return assign(np.sqrt(1e9 * wanted), np.sqrt(1e9 / wanted), buckets).lost.max()


@pytest.mark.parametrize(
    ("buckets", "count", "crop", "area"),
    [
        (BucketSet(0.15, 64, 192, 832), 13, 0.178, 0.78),
        (STANDARD, 33, 0.074, 0.91),
        (BucketSet(2.25, 64, 768, 3072), 49, 0.050, 0.94),
        (SMALL, 53, 0.120, 0.807),
        (BucketSet(0.15, 32, 192, 832), 27, 0.095, 0.86),  # without the longest shapes
    ],
)
def test_lists_of_sizes(buckets, count, crop, area):
    """All rows but the last are measured in the specification by another program."""
    sizes = buckets.sizes()
    assert len(sizes) == count
    assert worst_crop(buckets) == pytest.approx(crop, abs=0.0006)
    assert min(width * height for width, height in sizes) / buckets.pixels == pytest.approx(area, abs=0.006)
    assert all(width * height <= buckets.pixels for width, height in sizes)
    assert all(width % buckets.step == height % buckets.step == 0 for width, height in sizes)
    assert {size[::-1] for size in sizes} == set(sizes)


def test_megapixels_are_the_papers():
    assert SMALL.pixels == 157_286
    assert (1024, 1024) in STANDARD.sizes()
    assert (1536, 1536) in HIGH.sizes()


@given(st.integers(200, 6000), st.integers(200, 6000))
def test_the_nearest_ratio_by_hand(width, height):
    found = assign([width], [height], STANDARD)
    distance = {size: abs(np.log(size[0] / size[1]) - np.log(width / height)) for size in STANDARD.sizes()}
    nearest = min(distance.values())
    scale = found.scale[0]
    place = found.bucket[0]
    if place < 0:
        assert scale > STANDARD.enlarge
        return
    size = found.sizes[place]
    assert distance[size] == pytest.approx(nearest)
    assert scale == pytest.approx(max(size[0] / width, size[1] / height))
    assert found.lost[0] == pytest.approx(1 - size[0] * size[1] / (width * height * scale**2))


def test_only_pictures_of_about_the_high_resolution_are_trained_at_it():
    widths, heights = [1535, 1536, 2500, 2600], [1535, 1536, 2500, 2600]
    assert (assign(widths, heights, HIGH).bucket >= 0).tolist() == [False, True, True, False]
    assert (assign([767, 768], [500, 768], STANDARD).bucket >= 0).tolist() == [False, True]


def test_a_large_picture_is_in_both_sets_and_a_tiny_one_in_none():
    config = BucketConfig((STANDARD, HIGH))
    buckets, left = fill([1600, 100, 1024], [1600, 100, 1024], config)
    assert [(bucket.set, bucket.size, bucket.rows) for bucket in buckets] == [
        (0, (1024, 1024), (0, 2)), (1, (1536, 1536), (0,)),
    ]  # fmt: skip
    assert left == [1]


@given(st.integers(400, 4000), st.integers(400, 4000), st.sampled_from(["centre", "random"]), st.integers(0, 50))
def test_a_crop_covers_the_bucket_and_lies_inside(width, height, crop, epoch):
    found = assign([width], [height], dataclasses.replace(STANDARD, enlarge=10))
    target = found.sizes[found.bucket[0]]
    cut = crop_of((width, height), target, BucketConfig(crop=crop), 0, 5, epoch)
    assert all(resized >= side for resized, side in zip(cut.resized, target, strict=True))
    assert 0 <= cut.left <= cut.resized[0] - target[0]
    assert 0 <= cut.top <= cut.resized[1] - target[1]
    assert min(cut.resized[0] - target[0], cut.resized[1] - target[1]) <= 1, "one side fits"
    assert cut.time_ids() == (height, width, cut.top, cut.left, target[1], target[0])
    assert cut == crop_of((width, height), target, BucketConfig(crop=crop), 0, 5, epoch)


def test_random_crops_move_with_the_epoch_and_centred_ones_do_not():
    places = {crop_of((1100, 1500), (896, 1152), BucketConfig(crop="random"), 0, 1, n).top for n in range(60)}
    assert len(places) > 20
    assert {crop_of((1100, 1500), (896, 1152), BucketConfig(), 0, 1, n).top for n in range(5)} == {35}


@pytest.mark.parametrize(
    "fields",
    [{"step": 60}, {"min_side": 500}, {"min_side": 1088}, {"max_side": 448}, {"least_scale": 2}, {"enlarge": 0.5}],
)
def test_wrong_sets_are_refused(fields):
    with pytest.raises(ValueError, match=r"must be|do not hold"):
        dataclasses.replace(STANDARD, **fields)


def test_wrong_configs_are_refused():
    for fields in ({"sets": ()}, {"crop": "left"}):
        with pytest.raises(ValueError, match="buckets need"):
            BucketConfig(**fields)
