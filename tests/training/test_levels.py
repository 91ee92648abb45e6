"""Multi-level dropout (section 3.2) against arithmetic by hand and its stated rates (four standard errors)."""

import dataclasses
from itertools import pairwise

import pytest

from generation.tags import spaced
from tests.training.captioning import MANY, PLAIN, made, near, share
from training import stages
from training.caption_config import PAPER_LEVELS, CaptionConfig, Level
from training.captions import caption
from training.rng import Draws
from training.sheets import arrange


@pytest.mark.parametrize("tags", range(201))
def test_how_many_tags_a_level_keeps(tags):
    """Table of the paper in whole numbers: max(30 % N, 10), max(40 % N, 15), min(6, N), min(4, N), never above N."""
    kept = [level.kept(tags) for level in PAPER_LEVELS]
    assert kept == [
        min(tags, max(3 * tags // 10, 10)),
        min(tags, max(4 * tags // 10, 15)),
        min(6, tags),
        min(4, tags),
    ]
    assert PAPER_LEVELS[0].kept(tags, "ceil") == min(tags, max(-(-3 * tags // 10), 10))


@pytest.mark.parametrize(
    ("tags", "kept", "mean"),
    [
        (3, [3, 3, 3, 3], 3.00),
        (8, [8, 8, 6, 4], 7.64),
        (10, [10, 10, 6, 4], 9.36),
        (20, [10, 15, 6, 4], 13.96),
        (34, [10, 15, 6, 4], 19.00),
        (47, [14, 18, 6, 4], 25.48),
        (80, [24, 32, 6, 4], 43.16),
    ],
)
def test_measured_table_of_the_specification(tags, kept, mean):
    assert [level.kept(tags) for level in PAPER_LEVELS] == kept
    rest = 1 - sum(level.rate for level in PAPER_LEVELS)
    assert sum(level.rate * level.kept(tags) for level in PAPER_LEVELS) + rest * tags == pytest.approx(mean, abs=0.005)


def test_shares_of_the_levels_over_200_000_captions():
    config = CaptionConfig(levels=PAPER_LEVELS, uncond_rate=0)
    count = 200_000
    drawn = [stages.choose(config, False, Draws("caption", 0, n, 0, slots=stages.SLOTS)) for n in range(count)]
    for stage, rate in {"level 1": 0.3, "level 2": 0.2, "level 3": 0.1, "level 4": 0.04, "full": 0.36}.items():
        assert drawn.count(stage) / count == near(rate, count)


def test_a_level_keeps_its_count_of_droppable_tags_and_protected_ones_on_top():
    config = dataclasses.replace(PLAIN, levels=PAPER_LEVELS, protected=frozenset({"thing_03"}), name_protection=0)
    droppable = len(arrange(MANY, config).tags) - 1
    for found in made(config, 500):
        level = found.trace.stage
        if level == "full":
            assert not found.trace.dropped
            continue
        expected = PAPER_LEVELS[int(level[-1]) - 1].kept(droppable) + 1
        assert len(found.trace.kept) == expected == len(found.text.split(", "))
        assert "thing_03" in found.trace.kept


def test_every_droppable_tag_has_the_same_chance_at_a_level():
    config = dataclasses.replace(PLAIN, levels=(Level(1.0, 0.0, 6),), name_protection=0)
    found = made(config, 4_000)
    tags = arrange(MANY, config).tags
    for tag in tags:
        assert share(found, lambda one, tag=tag: tag in one.trace.kept) == near(6 / len(tags), 4_000)


def test_head_keeps_the_first_tags_of_the_schema():
    config = dataclasses.replace(PLAIN, levels=(Level(1.0, 0.0, 6),), level_select="head", name_protection=0)
    assert caption(MANY, config, 0, 0).text == ", ".join(map(spaced, arrange(MANY, config).tags[:6]))


def test_schema_order_is_restored_after_dropping():
    config = dataclasses.replace(PLAIN, levels=PAPER_LEVELS)
    places = {tag: place for place, tag in enumerate(arrange(MANY, config).tags)}
    for found in made(config, 300):
        assert all(places[a] < places[b] for a, b in pairwise(found.trace.kept))
        assert found.text == ", ".join(map(spaced, found.trace.kept))
