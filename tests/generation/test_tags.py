"""The schema that captions and prompts share."""

import pytest

from generation import tags
from generation.recipe import CONTENT_RATINGS
from generation.tags import (
    GROUPS,
    RATING_WORDS,
    in_schema_order,
    is_kept_meta,
    person_rank,
    prompt,
    respelled,
    spaced,
    split_persons,
    year_word,
)


def test_groups_come_in_the_papers_order():
    """Section 3.1.2, with copyright and meta where the documentation puts them."""
    one_each = {name: [name] for name in reversed(GROUPS)}
    assert list(in_schema_order(one_each)) == [
        "person", "character", "copyright", "rating", "general", "meta", "artist", "quality", "year",
    ]  # fmt: skip


def test_a_prompt_keeps_the_order_within_a_group():
    tags = {"general": ["smile", "closed_mouth", "^_^"], "character": ["mei_lin"], "person": ["1girl"]}
    assert prompt(tags) == "1girl, mei lin, smile, closed mouth, ^_^"


def test_an_unknown_group_is_named():
    with pytest.raises(KeyError, match="'style' is no group"):
        prompt({"style": ["x"]})


@pytest.mark.parametrize(
    ("tag", "rank"),
    [("1girl", 0), ("6+girls", 0), ("multiple_girls", 0), ("2boys", 1), ("1other", 2), ("multiple_others", 2),
     ("girl", -1), ("1girls_day", -1), ("boys", -1), ("multiple_views", -1), ("solo", -1)],
)  # fmt: skip
def test_person_counts(tag, rank):
    assert person_rank(tag) == rank


def test_persons_are_sorted_by_kind_and_the_rest_alphabetically():
    assert split_persons(["smile", "2boys", "hat", "1girl"]) == (["1girl", "2boys"], ["hat", "smile"])


def test_meta_tags_that_say_something_about_the_picture():
    assert [tag for tag in ("highres", "absurdres", "ink_(medium)", "commentary", "tagme") if is_kept_meta(tag)] == [
        "highres", "absurdres", "ink_(medium)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("years", "word"),
    [(range(2005, 2018), "oldest"), ((2018, 2019), "old"), ((2020,), "modern"), ((2021, 2022), "recent"),
     (range(2023, 2027), "newest")],
)  # fmt: skip
def test_table_4_for_every_year(years, word):
    assert {year_word(year) for year in years} == {word}


def test_emoticons_keep_their_underscores():
    assert [spaced(tag) for tag in ("long_hair", "^_^", "o_o", ":d")] == ["long hair", "^_^", "o_o", ":d"]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("1girl,long_hair ,  ^_^,smile", "1girl, long hair, ^_^, smile"),
        ("hatsune_miku_(vocaloid), solo,", "hatsune miku (vocaloid), solo"),
        ("smile, 1girl", "smile, 1girl"),
        ("(long_hair, blue_eyes:1.2)", "(long hair, blue eyes:1.2)"),
        ("A girl reads. Rain falls.", "A girl reads. Rain falls."),
        (" , ,", ""),
    ],
)
def test_a_typed_prompt_is_spelled_as_captions_are(typed, expected):
    assert respelled(typed) == expected
    assert respelled(expected) == expected


def test_every_rating_above_general_has_words_and_its_own_among_them():
    assert ["general", *RATING_WORDS] == list(CONTENT_RATINGS)
    assert all(rating in words for rating, words in RATING_WORDS.items())
    words = [word for level in RATING_WORDS.values() for word in level]
    assert len(words) == len(set(words))


def test_what_is_remembered_of_tags_is_bounded_and_stays_right(monkeypatch):
    monkeypatch.setattr(tags, "_REMEMBERED", 3)
    asked = []
    length = tags._remembered(lambda tag: asked.append(tag) or len(tag))
    assert [length(tag) for tag in ("a", "bb", "ccc", "a", "dddd", "a", "bb")] == [1, 2, 3, 1, 4, 1, 2]
    assert asked == ["a", "bb", "ccc", "dddd", "a", "bb"]
