"""Pruning limits, exact at their edges, and the pluggable scores."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from tests.training.test_captions import POST
from training.errors import UserError
from training.prune import (
    MEGAPIXEL,
    PruneConfig,
    ScoreRule,
    by_score,
    by_size,
    by_tags,
    bytes_per_pixel,
    jpeg_bits_per_pixel,
    load_scorer,
)


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [
        (768, 768, None),
        (767, 768, "small"),
        (768, 767, "small"),
        (384, 1536, None),  # the same area as 768 x 768
        (384, 1535, "small"),
        (8192, 5120, None),  # 40 * 2^20 exactly
        (8192, 5121, "large"),
        (600, 6000, None),  # 1:10
        (600, 6001, "elongated"),
        (6001, 600, "elongated"),
    ],
)
def test_limits_of_the_paper(width, height, reason):
    found = by_size(width, height, PruneConfig())
    assert (found and found.reason) == reason
    if found:
        assert f"{width}x{height}" in found.detail


@pytest.mark.parametrize(
    ("small_by", "size", "kept"),
    [("min_side", (767, 2000), False), ("min_side", (768, 768), True), ("both", (767, 2000), True),
     ("both", (767, 767), False), ("area", (767, 2000), True)],
)  # fmt: skip
def test_other_readings_of_too_small(small_by, size, kept):
    assert (by_size(*size, PruneConfig(small_by=small_by)) is None) == kept


def test_a_megapixel_is_the_papers():
    assert 2.25 * MEGAPIXEL == 1536 * 1536


def test_tags_that_are_not_wanted_and_too_few():
    assert by_tags(POST, PruneConfig()) is None
    found = by_tags(POST, PruneConfig(drop_tags=frozenset({"glasses", "hat", "aoi"})))
    assert (found.reason, found.detail) == ("tag", "has aoi, glasses")
    assert by_tags(POST, PruneConfig(min_tags=6)) is None
    assert by_tags(POST, PruneConfig(min_tags=7)).detail == "6 general tags, at least 7 are asked for"


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def test_compression_scores_tell_flat_from_noisy():
    post = dataclasses.replace(POST, image_width=64, image_height=64)
    flat = png(np.zeros((64, 64, 3), np.uint8))
    noisy = png(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    assert bytes_per_pixel(post, flat) == len(flat) / 4096
    assert jpeg_bits_per_pixel(post, flat) < 2 < jpeg_bits_per_pixel(post, noisy)


def test_rules_keep_their_bounds():
    rule = ScoreRule("compression", "training.prune:jpeg_bits_per_pixel", least=0.5, most=4)
    assert by_score(rule, 0.5) is None
    assert by_score(rule, 4.0) is None
    assert by_score(rule, 0.49).detail == "compression is 0.49, at least 0.5 is asked for"
    assert by_score(rule, 4.01).reason == "compression"
    assert by_score(rule, float("nan")) is not None


def test_scores_from_a_function_or_a_file(tmp_path):
    assert load_scorer(ScoreRule("c", "training.prune:bytes_per_pixel")) is bytes_per_pixel
    table = tmp_path / "aesthetic.csv"
    table.write_text("id,score\n1,6.5\n")
    scorer = load_scorer(ScoreRule("aesthetic", str(table), least=5))
    assert scorer(POST, None) == 6.5
    assert np.isnan(scorer(dataclasses.replace(POST, id=2), None))


@pytest.mark.parametrize("source", ["training.prune:nothing", "nowhere:f", "missing.csv"])
def test_a_score_that_is_not_there_is_named(source):
    with pytest.raises(UserError, match="score 'x'"):
        load_scorer(ScoreRule("x", source))


def test_a_score_of_files_needs_files():
    with pytest.raises(UserError, match="reads image files"):
        bytes_per_pixel(POST, None)


@pytest.mark.parametrize("change", [{"small_by": "width"}, {"min_side": -1}, {"max_ratio": 0.5}])
def test_wrong_values_are_refused(change):
    with pytest.raises(ValueError, match="must be"):
        PruneConfig(**change)
