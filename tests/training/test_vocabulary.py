"""The vocabulary's reader, words of two meanings, and the rules that repair their annotations."""

import dataclasses
from pathlib import Path

import pytest

from tests.training.test_captions import POST
from training.errors import UserError
from training.repair import RepairConfig, RepairRule, is_unfocused, persons, repaired
from training.vocabulary import Vocabulary, base_word, meanings, read_vocabulary, register_like, write_vocabulary

REAL = Path(__file__).parents[3] / "shared" / "data" / "danbooru_tags.csv"
HEADER = "name,category,count,aliases\n"


def read(tmp_path, text):
    path = tmp_path / "tags.csv"
    path.write_text(text)
    problems = []
    return read_vocabulary(path, problems.append), problems


def test_rows_of_all_categories(tmp_path):
    found, problems = read(tmp_path, HEADER + '1girl,0,9,"1girls,sole_female"\nx,1,1,\ny,3,2,\nz,4,3,\nw,meta,4,\n')
    assert problems == []
    assert found.categories == {"1girl": "general", "x": "artist", "y": "copyright", "z": "character", "w": "meta"}
    assert found.counts["1girl"] == 9
    assert [found.canonical(tag) for tag in ("sole_female", "1girl", "other")] == ["1girl", "1girl", "other"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('"a,b",0,1,', "line 3: 'a,b' is no name of a tag"),
        ("a b,0,1,", "line 3: 'a b' is no name"),
        (",0,1,", "line 3: '' is no name"),
        ("a,2,1,", "line 3: a: unknown category '2'"),
        ("a,0,many,", "line 3: a: the count 'many' is no number"),
        ("solo,0,5,", "line 3: solo: this name came before"),
    ],
)
def test_a_wrong_row_is_reported_and_left_out(tmp_path, row, message):
    found, problems = read(tmp_path, f"{HEADER}solo,0,9,\n{row}\nlast,0,1,\n")
    assert len(problems) == 1
    assert message in problems[0]
    assert list(found.categories) == ["solo", "last"]


def test_a_file_without_its_columns_is_refused(tmp_path):
    with pytest.raises(UserError, match="lacks the column 'category'"):
        read(tmp_path, "name,count\na,1\n")
    with pytest.raises(UserError, match="cannot be read"):
        read_vocabulary(tmp_path / "missing.csv", print)


def test_tags_are_sorted_into_categories_and_unknown_ones_told(tmp_path):
    vocabulary = Vocabulary({"solo": "general", "zoe": "character"}, {}, {"alone": "solo"})
    unknown = []
    found = vocabulary.sort(["zoe", "alone", "solo", "thing"], unknown.append)
    assert found["general"] == ("solo", "thing")
    assert found["character"] == ("zoe",)
    assert unknown == ["thing"]


def test_a_vocabulary_is_written_and_read_back(tmp_path):
    vocabulary = Vocabulary()
    vocabulary.add("general", {"solo": 2, 'say_"hi"': 1})
    vocabulary.add("character", {"zoe": 3, "solo": 1})
    vocabulary.add_unused(Vocabulary({"zoe": "artist", "hat": "meta"}, {"zoe": 9, "hat": 9}, {"z": "zoe", "zo": "zoe"}))
    write_vocabulary(tmp_path / "tags.csv", vocabulary)
    assert (tmp_path / "tags.csv").read_text().splitlines() == [
        "name,category,count,aliases", "solo,general,3,", 'zoe,character,3,"z,zo"', '"say_""hi""",general,1,',
        "hat,meta,0,",
    ]  # fmt: skip
    problems = []
    assert read_vocabulary(tmp_path / "tags.csv", problems.append) == vocabulary
    assert problems == []


def test_base_words():
    assert [base_word(tag) for tag in ("doctor_(arknights)", "doctor", "a_(b)_(c)", "^_^", "(x)")] == [
        "doctor", "doctor", "a", "^_^", "(x)",
    ]  # fmt: skip


def test_words_that_are_a_concept_and_a_name():
    categories = {"doctor": "general", "doctor_(arknights)": "character", "alice_(a)": "character",
                  "alice_(b)": "character", "hat": "general", "nurse": "general", "nurse_(c)": "artist",
                  "2b_(x)": "character", "2b_(x)_(cosplay)": "general"}  # fmt: skip
    assert meanings(categories) == {"doctor": ("doctor", "doctor_(arknights)"), "nurse": ("nurse", "nurse_(c)")}


@pytest.mark.skipif(not REAL.is_file(), reason="the whole list of tags is not part of the repository")
def test_the_real_list_of_tags():
    """16,700 real rows: nothing is reported, the doctor is found, and captions can be split at commas."""
    problems = []
    vocabulary = read_vocabulary(REAL, problems.append)
    assert problems == []
    assert len(vocabulary.categories) == 16_700
    assert vocabulary.counts["1girl"] == 6_008_644
    assert vocabulary.categories["hatsune_miku"] == "character"
    found = meanings(vocabulary.categories)
    assert found["doctor"] == ("doctor", "doctor_(arknights)")
    assert vocabulary.counts["doctor_(arknights)"] > 4 * vocabulary.counts["doctor"], "the name drowns the profession"
    assert 20 < len(found) < 1_500
    like = register_like(vocabulary.categories)
    assert all(len(tag) <= 8 and tag.isalnum() for tag in like)
    assert {"solo", "smile", "1girl"} <= like


DOCTOR = dataclasses.replace(POST, general=("1boy", "coat", "doctor", "mask"), character=("doctor_(arknights)",))
AMBIGUOUS = {"doctor": "doctor", "doctor_(arknights)": "doctor"}


@pytest.mark.parametrize(
    ("general", "expected"),
    [(("1girl",), "1girl"), (("1boy", "1girl"), "several"), (("2boys",), "several"), (("hat",), "nobody")],
)
def test_who_is_on_the_picture(general, expected):
    assert persons(dataclasses.replace(POST, general=general)) == expected


def test_unfocused_is_several_persons_or_few_tags():
    config = RepairConfig(few_tags=4)
    assert not is_unfocused(DOCTOR, config)
    assert is_unfocused(DOCTOR, RepairConfig(few_tags=5))
    assert is_unfocused(dataclasses.replace(DOCTOR, general=("1boy", "1girl", "coat", "mask")), config)


def test_rules_remove_or_rename_where_they_say():
    crowd = dataclasses.replace(DOCTOR, general=("1boy", "2girls", "coat", "doctor", "mask"))
    config = RepairConfig(few_tags=4, rules=(RepairRule("*"),))
    post, changes = repaired(crowd, AMBIGUOUS, config)
    assert (post.general, post.character) == (("1boy", "2girls", "coat", "mask"), ())
    assert changes == ["doctor was removed", "doctor_(arknights) was removed"]
    assert repaired(DOCTOR, AMBIGUOUS, config) == (DOCTOR, [])
    rename = RepairConfig(rules=(RepairRule("doctor_(arknights)", "everywhere", "rename", "arknights_doctor"),))
    post, changes = repaired(DOCTOR, AMBIGUOUS, rename)
    assert post.character == ("arknights_doctor",)
    assert post.general == DOCTOR.general
    assert changes == ["doctor_(arknights) became arknights_doctor"]


@pytest.mark.parametrize(
    "fields",
    [
        {"where": "here"},
        {"action": "keep"},
        {"action": "rename"},
        {"to": "x"},
        {"tag": "*", "action": "rename", "to": "x"},
    ],
)
def test_wrong_rules_are_refused(fields):
    with pytest.raises(ValueError, match="repair rule"):
        RepairRule(**{"tag": "doctor"} | fields)
