"""A post with many tags, and its captions over many epochs."""

import dataclasses
import math

import pytest

from tests.training.test_captions import POST
from training.caption_config import PAPER_LEVELS, CaptionConfig
from training.captions import caption

MANY = dataclasses.replace(
    POST,
    general=("1boy", "1girl", "solo", *(f"thing_{number:02d}" for number in range(30))),
    quality="best quality",
    texts=("A quiet afternoon.", "Two people talk.", "Rain, and a lamp."),
)


PLAIN = CaptionConfig(uncond_rate=0, shuffle=False)


EVERY_STAGE = CaptionConfig(
    levels=PAPER_LEVELS,
    tag_dropout=0.1,
    protected=frozenset({"thing_03", "1girl"}),
    paraphrase_rate=0.3,
    space_rate=0.3,
    text_rate=0.3,
    text_only_rate=0.1,
    register_rate=0.3,
    year_number_rate=0.3,
)


def made(config, count=2_000, post=MANY, seed=0):
    return [caption(post, config, seed, epoch) for epoch in range(count)]


def near(rate, count):
    return pytest.approx(rate, abs=4 * math.sqrt(rate * (1 - rate) / count) + 1e-12)


def share(found, hit):
    return sum(map(hit, found)) / len(found)
