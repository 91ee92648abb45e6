import dataclasses
import datetime
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generation.tags import spaced, year_word
from training.caption_config import PAPER_LEVELS, TINY, CaptionConfig
from training.captions import caption, prompt_text
from training.config import from_mapping, to_mapping
from training.posts import Post, parse_post, to_record
from training.sources import read_posts

REAL_POST = Path(__file__).parents[1] / "data" / "danbooru_post.json"
EVERYTHING = CaptionConfig(tag_dropout=0, uncond_rate=0, shuffle=False)
TAGS = ("1girl", "blue_hair", "glasses", "long_hair", "smile", "solo", "white_background")
POST = Post(
    id=1,
    created_at=datetime.datetime(2019, 5, 1, tzinfo=datetime.UTC),
    score=3,
    fav_count=2,
    rating="g",
    image_width=64,
    image_height=64,
    file_ext="png",
    md5="",
    file_path="",
    source="",
    general=TAGS,
    character=("aoi",),
    copyright=("original",),
    artist=("some_one",),
    meta=("highres", "tagme"),
)

REAL_CAPTION = (
    "1girl, amiya (arknights), arknights, sensitive, alternate costume, animal ears, backpack, bag, black bag, "
    "black footwear, black jacket, black shorts, blue eyes, brown hair, flag, holding, holding flag, "
    "holding megaphone, jacket, jewelry, long hair, long sleeves, looking at viewer, mask, mask pull, megaphone, "
    "midriff, mouth mask, multiple rings, open clothes, open jacket, outdoors, rabbit ears, ring, shadow, shirt, "
    "shorts, sleeveless, sleeveless shirt, socks, solo, tied shirt, very long hair, white socks, absurdres, highres, "
    "ganet p, newest"
)


def test_real_post_in_schema_order():
    [post] = read_posts(REAL_POST)
    assert caption(post, EVERYTHING, 0, 0).text == REAL_CAPTION
    assert prompt_text(post, CaptionConfig()) == REAL_CAPTION


@pytest.mark.parametrize(
    ("change", "config", "expected"),
    [
        (
            {},
            {},
            "1girl, aoi, original, general, blue hair, glasses, long hair, smile, solo, white background, highres, "
            "some one, old",
        ),
        (
            {"quality": "good quality"},
            {"include_meta": False},
            "1girl, aoi, original, general, blue hair, glasses, long hair, smile, solo, white background, some one, "
            "good quality, old",
        ),
        (
            {"rating": "q"},
            {"copyright": "drop", "include_meta": False, "include_artist": False, "include_year": False},
            "1girl, aoi, questionable, blue hair, glasses, long hair, smile, solo, white background",
        ),
        (
            {"character": ()},
            {"include_rating": False, "include_meta": False, "include_year": False},
            "1girl, original, blue hair, glasses, long hair, smile, solo, white background, some one",
        ),
        (
            {"general": ("2boys", "1girl", "smile"), "meta": ()},
            {"include_year": False},
            "1girl, 2boys, aoi, original, general, smile, some one",
        ),
        (
            {"general": ("multiple_girls", "6+boys", "1other", "^_^", ":o"), "meta": ("ink_(medium)",)},
            {"include_year": False},
            "multiple girls, 6+boys, 1other, aoi, original, general, :o, ^_^, ink (medium), some one",
        ),
        (
            {"character": ("zoe", "aoi")},
            {
                **{f"include_{name}": False for name in ("rating", "meta", "artist", "quality", "year")},
                "copyright": "drop",
            },
            "1girl, aoi, zoe, blue hair, glasses, long hair, smile, solo, white background",
        ),
        (
            {
                "quality": "masterpiece",
                "rating": "e",
                "created_at": datetime.datetime(2017, 12, 31, 23, tzinfo=datetime.UTC),
            },
            {},
            "1girl, aoi, original, explicit, blue hair, glasses, long hair, smile, solo, white background, highres, "
            "some one, masterpiece, oldest",
        ),
        (
            {
                "quality": "worst quality",
                "rating": "s",
                "created_at": datetime.datetime(2020, 6, 1, tzinfo=datetime.UTC),
            },
            {"include_artist": False},
            "1girl, aoi, original, sensitive, blue hair, glasses, long hair, smile, solo, white background, highres, "
            "worst quality, modern",
        ),
        (
            {"general": ("no_humans", "scenery"), "character": (), "artist": ("b", "a"), "copyright": ("y", "x")},
            {},
            "x, y, general, no humans, scenery, highres, a, b, old",
        ),
        (
            {"general": ("3girls", "2boys", "1other", "multiple_boys"), "character": ("b_(x)", "a_(x)"), "meta": ()},
            {"include_rating": False},
            "3girls, 2boys, multiple boys, 1other, a (x), b (x), original, some one, old",
        ),
        (
            {"general": (), "character": (), "copyright": (), "artist": (), "meta": ()},
            {"include_rating": False, "include_year": False},
            "",
        ),
    ],
)
def test_golden_captions(change, config, expected):
    config = dataclasses.replace(EVERYTHING, **config)
    assert caption(dataclasses.replace(POST, **change), config, 0, 0).text == expected


def test_tiny_prompt_of_post_and_of_tags():
    expected = "1girl, aoi, blue hair, glasses, long hair, smile, solo, white background"
    assert prompt_text(POST) == expected
    assert prompt_text(reversed(TAGS), characters=["aoi"]) == expected


YEARS = {
    **dict.fromkeys(range(2005, 2018), "oldest"), 2018: "old", 2019: "old", 2020: "modern", 2021: "recent",
    2022: "recent", **dict.fromkeys(range(2023, 2027), "newest"),
}  # fmt: skip


@pytest.mark.parametrize("year", range(2005, 2027))
def test_year_words(year):
    assert year_word(year) == YEARS[year]
    post = dataclasses.replace(POST, created_at=datetime.datetime(year, 12, 31, 23, 59, tzinfo=datetime.UTC))
    assert caption(post, EVERYTHING, 0, 0).text.endswith(f", some one, {YEARS[year]}")


def test_the_year_is_that_of_the_utc_time():
    """Five in the morning of New Year's Day 2020 in Japan is still 2019 in UTC."""
    post = parse_post(to_record(POST) | {"created_at": "2020-01-01T05:00:00+09:00"}, "here")
    assert caption(post, EVERYTHING, 0, 0).text.endswith(", old")


def test_bounds_of_years_may_be_others():
    config = dataclasses.replace(EVERYTHING, year_bounds=(2010, 2015, 2018, 2019))
    assert caption(POST, config, 0, 0).text.endswith(", recent"), "2019, inclusive"
    assert caption(POST, EVERYTHING, 0, 0).text.endswith(", old"), "one layout does not stand in for another"


@pytest.mark.parametrize(("tag", "text"), [("long_hair", "long hair"), ("^_^", "^_^"), (":d", ":d"), ("tan", "tan")])
def test_spaces_except_in_emoticons(tag, text):
    assert spaced(tag) == text


@pytest.mark.parametrize("shuffle", [False, True])
def test_order_of_the_posts_own_tags_changes_nothing(shuffle):
    config = CaptionConfig(shuffle=shuffle)
    turned = dataclasses.replace(POST, general=TAGS[::-1], meta=POST.meta[::-1])
    assert all(caption(POST, config, 5, epoch) == caption(turned, config, 5, epoch) for epoch in range(20))


def test_shuffle_moves_general_tags_only():
    config = dataclasses.replace(EVERYTHING, shuffle=True)
    texts = {caption(POST, config, 0, epoch).text for epoch in range(50)}
    assert len(texts) > 40
    plain = prompt_text(POST, config).split(", ")
    for text in texts:
        tags = text.split(", ")
        assert tags[:4] == plain[:4]
        assert tags[-3:] == plain[-3:]
        assert sorted(tags) == sorted(plain)


def share(config, hit, count=3_000):
    return sum(hit(caption(POST, config, 1, epoch)) for epoch in range(count)) / count


def near(rate, count=3_000):
    return pytest.approx(rate, abs=4 * math.sqrt(rate * (1 - rate) / count))


def test_unconditional_rate():
    config = CaptionConfig(uncond_rate=0.1)
    assert share(config, lambda found: found.text == "") == near(0.1)
    assert share(config, lambda found: found.trace.unconditional) == near(0.1)


def test_each_tag_is_dropped_at_the_given_rate():
    config = CaptionConfig(tag_dropout=0.25, uncond_rate=0)
    for tag in ("1girl", "glasses", "highres"):
        assert share(config, lambda found, tag=tag: tag in found.trace.dropped) == near(0.25)


def test_names_are_protected_jointly():
    config = CaptionConfig(tag_dropout=1, uncond_rate=0, name_protection=0.8)
    assert share(config, lambda found: found.text == "aoi, some one") == near(0.8)
    assert share(config, lambda found: found.text == "") == near(0.2)


def test_text_and_trace_agree():
    for epoch in range(200):
        found = caption(POST, TINY, 0, epoch)
        present = set(filter(None, found.text.split(", ")))
        dropped = {spaced(tag) for tag in found.trace.dropped}
        assert present | dropped == set(prompt_text(POST).split(", "))
        assert not present & dropped


def test_switching_one_stage_leaves_the_others_alone():
    without = [caption(POST, CaptionConfig(uncond_rate=0), 3, epoch) for epoch in range(300)]
    with_it = [caption(POST, CaptionConfig(uncond_rate=0.5), 3, epoch) for epoch in range(300)]
    assert all(b.trace.unconditional or a.text == b.text for a, b in zip(without, with_it, strict=True))
    order = [caption(POST, CaptionConfig(shuffle=False, uncond_rate=0), 3, epoch) for epoch in range(300)]
    assert [found.trace for found in order] == [found.trace for found in without]


def test_protecting_a_tag_changes_no_other_tag():
    for epoch in range(200):
        free = caption(POST, CaptionConfig(tag_dropout=0.5, uncond_rate=0), 0, epoch).trace.dropped
        config = CaptionConfig(tag_dropout=0.5, uncond_rate=0, protected=frozenset({"glasses"}))
        assert set(free) - {"glasses"} == set(caption(POST, config, 0, epoch).trace.dropped)


@settings(max_examples=100, deadline=None)
@given(
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.booleans(),
    st.sets(st.sampled_from(TAGS)),
    st.integers(0, 2**40),
    st.integers(0, 1000),
)
def test_protected_tags_survive_every_stage(dropout, names, uncond, shuffle, protected, seed, epoch):
    config = CaptionConfig(
        tag_dropout=dropout, name_protection=names, uncond_rate=uncond, shuffle=shuffle, protected=frozenset(protected)
    )
    assert {spaced(tag) for tag in protected} <= set(caption(POST, config, seed, epoch).text.split(", "))


@pytest.mark.parametrize("field", ["tag_dropout", "name_protection", "uncond_rate"])
@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_outside_0_and_1_is_refused(field, rate):
    with pytest.raises(ValueError, match=field):
        CaptionConfig(**{field: rate})


def test_config_as_json_values():
    values = to_mapping(CaptionConfig(protected=frozenset({"b", "a"}), levels=PAPER_LEVELS))
    assert values["protected"] == ["a", "b"]
    assert values["levels"][0] == {"rate": 0.3, "share": 0.3, "least": 10}
    assert from_mapping(CaptionConfig, values, "here") == CaptionConfig(
        protected=frozenset({"a", "b"}), levels=PAPER_LEVELS
    )
