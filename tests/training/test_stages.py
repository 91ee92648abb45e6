"""The stages of section 3.2 against their stated probabilities (four standard errors)."""

import dataclasses
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generation.tags import RATINGS, spaced
from tests.training.captioning import MANY, PLAIN, made, near, share
from tests.training.test_captions import POST
from training.caption_config import PARAPHRASES, CaptionConfig, Level
from training.captions import caption, prompt_text
from training.sheets import arrange


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
