"""One JSON file: of any size, in any spelling, broken anywhere."""

import json

import pytest

from tests.training.preparing import post
from training import json_files
from training.intake import Images, take_in
from training.json_files import JsonFile, has_lines
from training.posts import to_record
from training.sources import parts_of

RECORDS = [{"id": number, "t": 'x\\"[]{}, é' * (number % 30), "e": "\U0001f600"} for number in range(1, 300)]
SPELLINGS = {
    "plain": json.dumps(RECORDS),
    "indented": json.dumps(RECORDS, indent=2, ensure_ascii=False),
    "marked": "\ufeff " + json.dumps(RECORDS) + "\n",
}


@pytest.fixture(params=[7, 100, 2**20])
def read(tmp_path, monkeypatch, request):
    """Reads a text as a file, in blocks of another size."""
    monkeypatch.setattr(json_files, "BLOCK", request.param)

    def records(text):
        (tmp_path / "posts.json").write_text(text, encoding="utf-8")
        return [record for _, record in JsonFile(tmp_path / "posts.json").records()]

    return records


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_list_is_read_record_by_record(read, spelling):
    assert read(SPELLINGS[spelling]) == RECORDS


@pytest.mark.parametrize(("text", "found"), [("[ ]", []), ("[1, 23]", [1, 23]), ('{"id": 1}', [{"id": 1}])])
def test_short_files(read, text, found):
    assert read(text) == found


@pytest.mark.parametrize(
    ("text", "sound", "problem"),
    [
        (SPELLINGS["plain"][:-1], 299, "expected, found the end); what follows is lost"),
        (SPELLINGS["plain"] + "x", 299, "something stands after the list"),
        ('[{"id": 1},]', 1, "not JSON"),
        ('[{"id": 1}, {broken}, {"id": 2}]', 1, "not JSON"),
        ('[{"id": 1}, {"id": 2, "t": "\\ud800"}, {"id": 3}]', 2, "holds half a character"),
    ],
)
def test_what_is_broken_is_told_and_what_stands_before_it_is_kept(read, text, sound, problem):
    found = read(text)
    errors = [record for record in found if isinstance(record, Exception)]
    assert len(found) == sound + 1
    assert len(errors) == 1
    assert problem in str(errors[0])


@pytest.mark.parametrize("block", [7, 100, 2**20])
def test_a_byte_that_is_no_text_costs_its_record_alone(tmp_path, monkeypatch, block):
    monkeypatch.setattr(json_files, "BLOCK", block)
    records = [to_record(post(number, source="\u00e9@")) for number in range(1, 2000)]
    data = json.dumps(records, ensure_ascii=False).encode()
    place = data.index(b"@", data.index(b'"id": 1500,'))
    (tmp_path / "posts.json").write_bytes(data[:place] + b"\xff" + data[place + 1 :])
    [part] = parts_of(tmp_path / "posts.json")
    found = list(take_in(part, None, Images(tmp_path)))
    assert [one.id for one in found] == list(range(1, 2000))
    [bad] = [one for one in found if one.post is None]
    assert (bad.id, bad.problems) == (1500, ("not UTF-8 text: save it as UTF-8",))
    assert bad.where == f"{tmp_path / 'posts.json'} record 1500"


def test_a_byte_that_is_no_text_between_records_is_told_in_words_that_can_be_written(tmp_path):
    (tmp_path / "posts.json").write_bytes(b'[{"id": 1}\xff, {"id": 2}]')
    first, bad = (record for _, record in JsonFile(tmp_path / "posts.json").records())
    assert first == {"id": 1}
    assert str(bad) == "not JSON (, or ] expected, found '\\udcff'); what follows is lost"


def test_a_half_character_is_told_by_post(read):
    [bad] = read('[{"id": 2, "t": "\\ud800"}]')
    assert bad.post == 2


@pytest.mark.parametrize(
    ("text", "lines"),
    [('{"id": 1}\n{"id": 2}\n', True), ('{"id": 1}\n\n', False), ('{\n"id": 1}', False), ("[\n1]", False), ("", False)],
)
def test_dumps_with_a_post_a_line_are_often_called_json(tmp_path, text, lines):
    file = tmp_path / "posts.json"
    file.write_text(text)
    assert has_lines(file) == lines
    assert [type(part).__name__ for part in parts_of(file)] == ["JsonLines" if lines else "JsonFile"]
