"""The stages of section 3.2 against arithmetic by hand and their stated probabilities (four standard errors)."""

import dataclasses
import hashlib
import math
import multiprocessing
import random
import re
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generation.tags import RATINGS, spaced
from tests.training.test_captions import POST
from training import stages
from training.caption_config import PAPER_LEVELS, PARAPHRASES, TINY, CaptionConfig, Level
from training.captions import caption, prompt_text
from training.rng import Draws
from training.sheets import arrange

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


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_protected_tags_survive_any_config_and_nothing_is_invented(data):
    rate = st.floats(0, 1)
    text = data.draw(rate)
    config = CaptionConfig(
        levels=tuple(Level(0.25, data.draw(rate), data.draw(st.integers(0, 8))) for _ in range(4)),
        rounding=data.draw(st.sampled_from(["floor", "ceil", "round"])),
        level_select=data.draw(st.sampled_from(["random", "head"])),
        tag_dropout=data.draw(rate),
        name_protection=data.draw(rate),
        name_scope=data.draw(st.sampled_from(["caption", "tag"])),
        protected=frozenset(data.draw(st.sets(st.sampled_from(["1girl", "thing_01", "aoi", "some_one", "newest"])))),
        uncond_rate=data.draw(rate),
        shuffle=data.draw(st.booleans()),
        paraphrase_rate=data.draw(rate),
        text_rate=text,
        text_only_rate=data.draw(st.floats(0, 1 - text)),
        text_place=data.draw(st.sampled_from(["start", "after_names", "end"])),
        register_rate=data.draw(rate),
        register_place=data.draw(st.sampled_from(["end", "anywhere"])),
        copyright=data.draw(st.sampled_from(["after_character", "general", "drop"])),
    )
    found = caption(MANY, config, data.draw(st.integers(0, 2**40)), data.draw(st.integers(0, 1000)))
    tags = arrange(MANY, config).tags
    assert config.protected & set(tags) <= set(found.trace.kept)
    pieces = re.split(r", (?!and a lamp)", found.text)
    for tag in config.protected & set(tags):
        assert pieces.count(spaced(tag)) == 1
    assert sorted([*found.trace.kept, *found.trace.dropped]) == sorted(tags)
    assert len(set(found.trace.kept)) == len(found.trace.kept)
    forms = {form for row in PARAPHRASES for form in row[1:]}
    known = {*map(spaced, tags), *forms, *MANY.texts, *found.trace.register, ""}
    assert set(pieces) <= known


def test_schema_order_is_restored_after_dropping():
    config = dataclasses.replace(PLAIN, levels=PAPER_LEVELS)
    places = {tag: place for place, tag in enumerate(arrange(MANY, config).tags)}
    for found in made(config, 300):
        assert all(places[a] < places[b] for a, b in pairwise(found.trace.kept))
        assert found.text == ", ".join(map(spaced, found.trace.kept))


def test_protected_tags_may_be_left_out_of_the_empty_caption():
    config = dataclasses.replace(PLAIN, uncond_rate=1, protected=frozenset({"solo"}))
    assert caption(MANY, config, 0, 0).text == "solo"
    assert caption(MANY, dataclasses.replace(config, protect_in_uncond=False), 0, 0).text == ""


def test_names_are_protected_together_or_each_by_itself():
    bare = dataclasses.replace(PLAIN, levels=(Level(1.0, 0.0, 0),), name_protection=0.8)
    together = made(bare, 4_000)
    assert share(together, lambda found: found.text == "aoi, some one") == near(0.8, 4_000)
    assert share(together, lambda found: found.text == "") == near(0.2, 4_000)
    apart = made(dataclasses.replace(bare, name_scope="tag"), 4_000)
    assert share(apart, lambda found: found.text == "aoi, some one") == near(0.64, 4_000)
    assert share(apart, lambda found: found.text == "aoi") == near(0.16, 4_000)


def test_paraphrase_uses_listed_forms_only_and_leaves_protected_tags_and_names_alone():
    config = dataclasses.replace(PLAIN, paraphrase_rate=0.4, protected=frozenset({"solo"}))
    forms = {row[0]: set(row[1:]) for row in PARAPHRASES}
    found = made(
        dataclasses.replace(config), post=dataclasses.replace(MANY, character=("1other",), artist=("no_humans",))
    )
    changed = [dict(one.trace.paraphrased) for one in found if one.trace.paraphrased]
    assert len(changed) / len(found) == near(0.4, len(found))
    assert all(set(one) == {"1girl", "1boy"} for one in changed)
    for tag in ("1girl", "1boy"):
        used = [one[tag] for one in changed]
        assert set(used) == forms[tag]
        for form in forms[tag]:
            assert used.count(form) / len(used) == near(1 / len(forms[tag]), len(used))
    for one in found:
        pieces = one.text.split(", ")
        assert {"solo", "1other", "no humans"} <= set(pieces)
        assert pieces[:2] == [dict(one.trace.paraphrased).get(tag, tag) for tag in ("1girl", "1boy")]


def test_commas_become_spaces_in_the_whole_caption_or_one_by_one():
    whole = made(dataclasses.replace(PLAIN, space_rate=0.25))
    assert share(whole, lambda found: ", " not in found.text) == near(0.25, len(whole))
    assert {found.trace.spaces for found in whole} == {0, len(arrange(MANY, PLAIN).tags) - 1}
    single = made(dataclasses.replace(PLAIN, space_rate=0.25, space_scope="comma"))
    gaps = len(arrange(MANY, PLAIN).tags) - 1
    assert sum(found.trace.spaces for found in single) / (gaps * len(single)) == near(0.25, gaps * len(single))
    for found in single[:50]:
        assert found.text.count(", ") == gaps - found.trace.spaces
        assert found.trace.kept == arrange(MANY, PLAIN).tags, "names stay whole in the trace"


def test_texts_join_the_tags_or_stand_alone():
    config = dataclasses.replace(PLAIN, text_rate=0.4, text_only_rate=0.2, protected=frozenset({"solo"}))
    found = made(config, 4_000)
    assert share(found, lambda one: one.trace.stage == "text only") == near(0.2, 4_000)
    assert share(found, lambda one: one.trace.text >= 0) == near(0.6, 4_000)
    for place in range(3):
        assert share(found, lambda one, place=place: one.trace.text == place) == near(0.2, 4_000)
    for one in found[:300]:
        if one.trace.stage == "text only":
            assert one.text in {f"{text}, solo" for text in MANY.texts}
        elif one.trace.text >= 0:
            assert one.text.startswith(f"1girl, 1boy, aoi, {MANY.texts[one.trace.text]}, original")
        else:
            assert one.text == prompt_text(MANY, config)
    first = made(dataclasses.replace(config, text_choice="first"), 300)
    assert {one.trace.text for one in first} == {-1, 0}


@pytest.mark.parametrize(("place", "at"), [("start", 0), ("end", -1)])
def test_place_of_the_text(place, at):
    config = dataclasses.replace(PLAIN, text_rate=1.0, text_place=place, text_choice="first")
    assert caption(MANY, config, 0, 0).text.split(", ")[at] == MANY.texts[0]


def test_a_post_without_texts_is_captioned_by_its_tags():
    config = dataclasses.replace(PLAIN, text_only_rate=1.0)
    assert caption(POST, config, 0, 0).text == prompt_text(POST, config)


def test_register_tokens_are_fresh_last_and_as_many_as_stated():
    config = dataclasses.replace(PLAIN, register_rate=0.3)
    found = made(config, 4_000)
    some = [one for one in found if one.trace.register]
    assert len(some) / len(found) == near(0.3, len(found))
    for count in (1, 2, 3, 4):
        assert share(some, lambda one, count=count: len(one.trace.register) == count) == near(0.25, len(some))
    tokens = [token for one in some for token in one.trace.register]
    assert all(re.fullmatch("[a-z0-9]{4,8}", token) for token in tokens)
    for length in range(4, 9):
        assert share(tokens, lambda token, length=length: len(token) == length) == near(0.2, len(tokens))
    assert len({one.trace.register for one in some}) == len(some)
    for one in some:
        assert one.text == f"{prompt_text(MANY, config)}, {', '.join(one.trace.register)}"
    others = [caption(dataclasses.replace(MANY, id=number), config, 0, 0).trace.register for number in range(2, 4_000)]
    assert len({one for one in others if one}) == sum(1 for one in others if one)


def test_a_register_token_is_never_a_tag_of_the_vocabulary():
    drawn = caption(MANY, dataclasses.replace(PLAIN, register_rate=1.0), 0, 0).trace.register
    config = dataclasses.replace(PLAIN, register_rate=1.0, register_excluded=frozenset(drawn))
    again = caption(MANY, config, 0, 0).trace.register
    assert len(again) == len(drawn)
    assert not set(again) & set(drawn)


def test_an_assigned_register_token_comes_before_random_ones_and_not_into_the_empty_caption():
    post = dataclasses.replace(MANY, register="zz9qk")
    config = dataclasses.replace(PLAIN, register_rate=1.0)
    assert caption(post, config, 0, 0).trace.register[0] == "zz9qk"
    assert caption(post, dataclasses.replace(config, register_rate=0), 0, 0).text.endswith(", zz9qk")
    assert caption(post, dataclasses.replace(config, uncond_rate=1), 0, 0).text == ""
    rare = made(dataclasses.replace(PLAIN, assigned_register_rate=0.25), post=post)
    assert share(rare, lambda one: one.trace.register == ("zz9qk",)) == near(0.25, len(rare))


def test_register_tokens_may_stand_anywhere():
    config = dataclasses.replace(PLAIN, register_rate=1.0, register_place="anywhere")
    places = {one.text.split(", ").index(token) for one in made(config, 300) for token in one.trace.register}
    assert len(places) > 30


def test_years_by_number():
    found = made(dataclasses.replace(PLAIN, year_number_rate=0.3))
    assert share(found, lambda one: one.text.endswith(", old, year 2019")) == near(0.3, len(found))


def test_copyright_among_the_general_tags_or_left_out():
    general = prompt_text(POST, dataclasses.replace(PLAIN, copyright="general"))
    assert "long hair, original, smile" in general
    assert "original" not in prompt_text(POST, dataclasses.replace(PLAIN, copyright="drop"))


def test_a_post_without_date_rating_or_tags_has_what_is_left():
    bare = dataclasses.replace(POST, created_at=None, rating="", general=(), meta=())
    assert prompt_text(bare, PLAIN) == "aoi, original, some one"
    assert RATINGS[POST.rating] in prompt_text(POST, PLAIN)


@pytest.mark.parametrize(
    ("stage", "rate"),
    [("paraphrase_rate", 0.5), ("space_rate", 0.5), ("text_rate", 0.5), ("register_rate", 0.5), ("uncond_rate", 0.3),
     ("year_number_rate", 0.5)],
)  # fmt: skip
def test_a_stage_moves_no_draw_of_another(stage, rate):
    """Every stage on, and all but one on: what the traces say of the others is the same."""
    own = {"paraphrase_rate": "paraphrased", "text_rate": "text", "register_rate": "register"}.get(stage, "spaces")
    base = dataclasses.replace(EVERY_STAGE, **{stage: 0.0})
    compared = 0
    for off, on in zip(made(base, 400), made(dataclasses.replace(base, **{stage: rate}), 400), strict=True):
        if on.trace.unconditional or off.trace.tags != on.trace.tags:
            continue
        compared += 1
        # How many separators there are depends on the other stages; whether they are spaces does not.
        traces = [one.trace._replace(**{"spaces": one.trace.spaces > 0} | {own: 0}) for one in (off, on)]
        assert traces[0] == traces[1]
    assert compared > 150


def captions_of(numbers, config):
    return [caption(dataclasses.replace(MANY, id=number), config, 9, 4) for number in numbers]


@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.parametrize("workers", [1, 2, 8])
def test_any_number_of_workers_in_any_order_make_the_same_captions(method, workers):
    numbers = list(range(1, 65))
    expected = dict(zip(numbers, captions_of(numbers, EVERY_STAGE), strict=True))
    random.Random(workers).shuffle(numbers)
    with multiprocessing.get_context(method).Pool(workers) as pool:
        parts = pool.map(partial(captions_of, config=EVERY_STAGE), [numbers[i::workers] for i in range(workers)])
    found = {number: one for i, part in enumerate(parts) for number, one in zip(numbers[i::workers], part, strict=True)}
    assert found == expected


def test_epochs_and_seeds_differ():
    texts = {caption(MANY, EVERY_STAGE, seed, epoch).text for seed in range(5) for epoch in range(20)}
    assert len(texts) > 80


def test_golden_captions_of_every_stage():
    """Frozen: a change here changes every training run, and is a new version of the captions."""
    assert [caption(MANY, EVERY_STAGE, 1, epoch).text for epoch in range(12)] == GOLDEN


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"levels": (Level(0.8, 0, 1), Level(0.3, 0, 1))}, "levels must not add up"),
        ({"text_rate": 0.7, "text_only_rate": 0.4}, "must not add up"),
        ({"level_select": "middle"}, "level_select must be one of random, head"),
        ({"copyright": "keep"}, "copyright must be one of"),
        ({"register_length": (3, 8)}, "register_length must be two numbers from 4"),
        ({"register_count": (2, 1)}, "register_count must be two numbers"),
        ({"paraphrases": (("1girl",),)}, "at least one other form"),
        ({"space_rate": 1.5}, "space_rate must be between 0 and 1"),
    ],
)
def test_wrong_values_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        CaptionConfig(**change)


def test_a_level_checks_its_numbers():
    with pytest.raises(ValueError, match="a level needs rate and share from 0 to 1"):
        Level(1.2, 0, 1)


GOLDEN = [
    (
        "1girl, a boy, aoi, original, general, thing 22, thing 29, thing 28, thing 12, thing 06, thing 11, thing "
        "08, thing 18, thing 21, thing 01, thing 04, thing 02, thing 20, thing 24, thing 00, thing 26, thing 17, "
        "thing 25, thing 15, thing 09, thing 13, thing 14, thing 23, only one person, thing 05, thing 27, thing "
        "03, thing 16, highres, some one, best quality, old, svb7, 9grh1d1n"
    ),
    (
        "1girl, aoi, Rain, and a lamp., original, thing 02, thing 12, thing 25, thing 10, thing 16, thing 03, "
        "thing 13, thing 04, thing 09, thing 00, thing 29, thing 20, thing 17, thing 15, highres, some one"
    ),
    "1girl aoi original thing 18 thing 03 thing 29 thing 14 thing 13 thing 10 some one",
    (
        "1girl 1boy aoi general thing 21 thing 07 thing 01 thing 22 thing 16 thing 19 thing 25 thing 24 thing 10 "
        "thing 27 thing 05 thing 18 thing 15 thing 03 thing 06 thing 26 thing 13 thing 20 thing 08 thing 12 thing "
        "00 thing 17 thing 29 thing 02 thing 23 thing 28 thing 04 solo thing 11 highres some one best quality old"
    ),
    "1girl, A quiet afternoon., thing 03",
    "1girl, 1boy, aoi, thing 03, thing 18, thing 25, thing 14, thing 17, thing 28, some one",
    "1girl, aoi, thing 11, thing 03, thing 28, thing 07, thing 02, some one, iernq",
    (
        "1girl aoi A quiet afternoon. general thing 09 thing 03 thing 06 thing 29 thing 12 thing 26 thing 02 thing"
        " 21 thing 13 thing 25 some one e19g 6b15f5w"
    ),
    "1girl, A quiet afternoon., thing 03, 8jdx, tlq6, t1vrqn",
    (
        "1girl 1boy aoi thing 01 thing 03 thing 27 thing 13 thing 15 thing 17 thing 10 thing 29 solo thing 20 "
        "thing 04 thing 05 thing 16 thing 18 highres some one cj48q sb50zpe 2027"
    ),
    "1girl thing 03",
    (
        "1girl, a boy, aoi, original, general, thing 16, thing 18, thing 13, alone, thing 07, thing 19, thing 22, "
        "thing 27, thing 23, thing 10, thing 12, thing 01, thing 24, thing 06, thing 17, thing 03, thing 09, thing"
        " 29, thing 21, thing 26, thing 14, thing 11, thing 05, thing 08, thing 28, thing 25, thing 20, thing 02, "
        "thing 15, thing 04, thing 00, highres, some one, best quality, old, year 2019"
    ),
]


def test_captions_stay_what_they_were():
    """A digest taken before the stages were made faster: a run that goes on after an update sees the same captions."""
    digest = hashlib.sha256()
    for config in (
        EVERY_STAGE,
        PLAIN,
        TINY,
        dataclasses.replace(EVERY_STAGE, level_select="head", space_scope="comma"),
    ):
        for found in made(config, 200):
            digest.update(f"{found.text}\n{found.trace.stage} {sorted(found.trace.places)}\n".encode())
    assert digest.hexdigest() == "7c385c3fe456bbc1b8ebec2c48d0d4e8c14b966c8e859a840a177899202666db"
