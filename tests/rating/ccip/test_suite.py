"""A suite's file, its keys, its hash, and what makes none."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rating.ccip import Key, MissingFileError, Suite, SuiteCharacter, SuiteError, read_suite
from tests.rating.ccip.conftest import portrait

CONTENT = {
    "format": "ccip-suite/1",
    "characters": {"akari": ["refs/a1.png", "refs/a2.png"], "fate/saber": ["refs/b1.png", "refs/b2.png"]},
    "prompts": {"portrait": "1girl, {character}, portrait"},
    "seeds": [1, 2],
    "recipe": {"steps": 28},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "refs").mkdir()
    for character, letter in enumerate("ab"):
        for number in (1, 2):
            portrait(character, number).save(tmp_path / "refs" / f"{letter}{number}.png")
    return written(tmp_path / "suite.json", CONTENT)


def written(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_file_is_read(file: Path) -> None:
    suite = read_suite(file)
    assert suite.keys() == (
        Key("akari", "portrait", 1),
        Key("akari", "portrait", 2),
        Key("fate/saber", "portrait", 1),
        Key("fate/saber", "portrait", 2),
    )
    assert suite.characters[0].references == (file.parent / "refs" / "a1.png", file.parent / "refs" / "a2.png")


def test_the_hash_knows_bytes_and_not_places(file: Path, tmp_path: Path) -> None:
    first = read_suite(file).hash
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (file.parent / "refs").rename(elsewhere / "refs")
    moved = read_suite(written(elsewhere / "s.json", CONTENT))
    assert moved.hash == first
    turned = {**CONTENT, "characters": dict(reversed(CONTENT["characters"].items())), "seeds": [2, 1]}
    assert read_suite(written(elsewhere / "s.json", turned)).hash == first
    assert len(first) == 64
    changes = [
        replace(moved, seeds=(1, 3)),
        replace(moved, prompts={"portrait": "1girl"}),
        replace(moved, recipe={"steps": 20}),
        replace(moved, characters=moved.characters[:1]),
    ]
    portrait(7, 7).save(elsewhere / "refs" / "a1.png")
    others = {change.hash for change in changes} | {read_suite(elsewhere / "s.json").hash}
    assert len(others | {first}) == 6


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"format": "ccip-suite/2"}, "format"),
        ({"characters": {}}, "without characters"),
        ({"prompts": {}}, "without prompts"),
        ({"seeds": []}, "without seeds"),
        ({"seeds": [1, 1]}, "name one twice: 1"),
        ({"characters": {"akari": ["refs/a1.png"]}}, "1 reference"),
        ({"characters": {"akari": "refs/a1.png"}}, "no list"),
        ({"characters": ["akari"]}, "needs characters"),
        ({"seeds": ["many"]}, "needs characters"),
        ({"seeds": [1.5]}, r"1\.5 is no whole number"),
        ({"recipe": {"cfg": float("nan")}}, "NaN is no number of JSON"),
        ({"extra": 1}, "extra"),
    ],
)
def test_what_is_no_suite_is_said(file: Path, change: dict, word: str) -> None:
    with pytest.raises(SuiteError, match=word):
        read_suite(written(file, {**CONTENT, **change}))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": "ccip-suite/1", "seeds": [1], "seeds": [2]}'])
def test_what_is_no_json_of_a_suite_is_said(file: Path, text: str) -> None:
    with pytest.raises(SuiteError, match=r"suite\.json"):
        read_suite(written(file, text))
    with pytest.raises(MissingFileError, match=r"gone\.json is not there; give a suite"):
        read_suite(file.with_name("gone.json"))
    with pytest.raises(SuiteError, match="cannot be read: Is a directory; give a suite"):
        read_suite(file.parent)


def test_a_reference_that_is_not_there_is_named(file: Path) -> None:
    content = {**CONTENT, "characters": {"akari": ["refs/a1.png", "refs/gone.png"]}}
    with pytest.raises(
        MissingFileError, match=r"^\S+suite\.json: the reference \S+gone\.png of 'akari' is missing; its path"
    ):
        read_suite(written(file, content))


def test_a_name_stands_once() -> None:
    twice = SuiteCharacter("akari", (portrait(0, 0), portrait(0, 1)))
    with pytest.raises(SuiteError, match="'akari'"):
        Suite((twice, twice), {"p": ""}, (1,))
