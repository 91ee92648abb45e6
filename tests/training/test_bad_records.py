"""One record that nobody expected ends no part: it is told by post, and those beside it are read."""

import json
import sqlite3

import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from tests.training.preparing import post
from training.intake import Images, take_in
from training.posts import to_record
from training.sources import parts_of

RECORD = to_record(post(1))
WITHOUT_TAGS = {name: value for name, value in RECORD.items() if not name.startswith("tag_string")}
WITHOUT_SIZE = {name: value for name, value in RECORD.items() if not name.startswith("image_")}


def taken(source, folder=None):
    return [one for part in parts_of(source) for one in take_in(part, None, Images(folder or source.parent))]


def as_lines(tmp_path, *records):
    (tmp_path / "posts.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return tmp_path / "posts.jsonl"


@pytest.mark.parametrize("value", [None, ["1girl", "solo"], 7])
def test_a_list_of_tags_that_is_no_text_makes_no_tags(tmp_path, value):
    [found] = taken(as_lines(tmp_path, WITHOUT_TAGS | {"tag_string": value}))
    assert found.post.tags == ()
    assert found.problems[0].startswith("field 'tag_string' must be str, found")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id": "thirty-one"}, "'id' must be int"),
        ({"id": [1]}, "'id' must be int"),
        ({"file_path": "a\0b.png"}, "has no size, and"),
        ({"file_path": "x" * 5000 + ".png"}, "has no size, and"),
        ({"file_path": "gone.png"}, "gone.png cannot be read: No such file or directory"),
        ({"file_path": "torn.png"}, "torn.png is no readable image"),
        ({"tag_string_general": "\ud800 solo"}, "holds half a character"),
    ],
)
def test_a_record_without_a_size_that_no_file_tells_is_unusable(tmp_path, change, problem):
    (tmp_path / "torn.png").write_bytes(b"no picture")
    first, second = taken(as_lines(tmp_path, WITHOUT_SIZE | change, RECORD))
    assert first.post is None
    assert any(problem in one for one in first.problems)
    assert second.post == post(1)


@pytest.mark.parametrize(
    ("name", "value"), [("texts", 5), ("texts", [5]), ("register", 5), ("quality", []), ("synthetic", "yes")]
)
def test_what_a_post_may_lack_is_told_and_left_out_where_it_is_wrong(tmp_path, name, value):
    [found] = taken(as_lines(tmp_path, RECORD | {name: value}))
    assert found.post == post(1)
    assert len(found.problems) == 1
    assert f"field {name!r} must be" in found.problems[0]


def test_one_text_needs_no_list(tmp_path):
    [found] = taken(as_lines(tmp_path, RECORD | {"texts": "A  sentence."}))
    assert (found.post.texts, found.problems) == (("A sentence.",), ())


def sqlite(path, records):
    names = list(RECORD | {"synthetic": False})
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE posts ({', '.join(names)})")
        for rowid, record in records.items():
            values = [rowid, *(record.get(name) for name in names)]
            connection.execute(
                f"INSERT INTO posts (rowid, {', '.join(names)}) VALUES ({', '.join('?' * len(values))})", values
            )
    connection.close()
    return path


def test_rows_of_sqlite_may_have_gaps_of_any_size(tmp_path):
    path = sqlite(tmp_path / "posts.db", {-5: to_record(post(1)), 3: to_record(post(2)), 2**62: to_record(post(3))})
    parts = parts_of(path, rows=2)
    assert [(part.first, part.last) for part in parts] == [(-5, 3), (2**62, 2**62)]
    assert [one.id for one in taken(path)] == [1, 2, 3]


def test_a_folder_may_be_called_anything(tmp_path):
    """In the address of an SQLite file `#`, `?` and `%41` would mean something."""
    folder = tmp_path / "a#1 %41?mode=rwc"
    folder.mkdir()
    path = sqlite(folder / "posts.db", {1: to_record(post(1))})
    assert [one.id for one in taken(path)] == [1]
    assert sorted(found.name for found in tmp_path.iterdir()) == [folder.name]


def test_a_row_of_sqlite_that_is_no_text_is_told_by_post(tmp_path):
    path = sqlite(tmp_path / "posts.db", {row: to_record(post(row)) | {"synthetic": row == 1} for row in (1, 2, 3)})
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE posts SET source = CAST(x'41ff' AS TEXT) WHERE id = 2")
    connection.close()
    first, second, third = taken(path)
    assert (first.post.synthetic, third.post.synthetic) == (True, False), "SQLite says 1 and 0"
    assert (second.id, second.post) == (2, None)
    assert "field 'source' is not UTF-8 text at byte 1" in second.problems[0]


def test_a_row_of_parquet_that_is_no_text_is_told_by_post(tmp_path):
    table = pyarrow.Table.from_pylist([to_record(post(row)) | {"source": "@@@@"} for row in (1, 2, 3)])
    pyarrow.parquet.write_table(table, tmp_path / "posts.parquet", compression="none", use_dictionary=False,
                                write_statistics=False)  # fmt: skip
    data = (tmp_path / "posts.parquet").read_bytes()
    places = [place for place in range(len(data)) if data[place : place + 4] == b"@@@@"]
    middle = places[1]
    (tmp_path / "posts.parquet").write_bytes(data[:middle] + b"@\xff@@" + data[middle + 4 :])
    first, second, third = taken(tmp_path / "posts.parquet")
    assert (first.id, second.id, third.id) == (1, 2, 3)
    assert second.post is None
    assert "not UTF-8" in second.problems[0]


def test_row_groups_are_cut_into_parts_that_are_the_whole(tmp_path):
    table = pyarrow.Table.from_pylist([to_record(post(row)) for row in range(1, 26)])
    pyarrow.parquet.write_table(table, tmp_path / "posts.parquet", row_group_size=10)
    parts = parts_of(tmp_path / "posts.parquet", rows=4)
    assert [(part.group, part.first, part.last) for part in parts] == [
        (0, 0, 4), (0, 4, 8), (0, 8, 10), (1, 0, 4), (1, 4, 8), (1, 8, 10), (2, 0, 4), (2, 4, 5),
    ]  # fmt: skip
    found = [(where, record["id"]) for part in parts for where, record in part.records()]
    assert [number for _, number in found] == list(range(1, 26))
    assert found[12][0] == f"{tmp_path / 'posts.parquet'} row group 1 row 2"


def test_captions_that_an_editor_marked_as_utf_8(tmp_path):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("1girl, solo", "utf-8-sig")
    [found] = taken(tmp_path, tmp_path)
    assert found.post.general == ("1girl", "solo")


def test_a_caption_that_cannot_be_read_ends_no_folder(tmp_path, monkeypatch):
    for name in ("a", "b"):
        Image.new("RGB", (20, 20)).save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text("1girl")
    read = type(tmp_path).read_text

    def refused(path, *arguments, **options):
        if path.name == "a.txt":
            raise PermissionError(13, "Permission denied")
        return read(path, *arguments, **options)

    monkeypatch.setattr(type(tmp_path), "read_text", refused)
    first, second = taken(tmp_path, tmp_path)
    assert (first.id, first.post) == (1, None)
    assert "cannot be read: Permission denied" in first.problems[0]
    assert second.post.general == ("1girl",)


def test_escaped_brackets_of_a_caption_are_brackets(tmp_path):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("1girl, amiya \\(arknights\\), \\m/, long hair")
    [found] = taken(tmp_path, tmp_path)
    assert found.post.general == ("1girl", "amiya_(arknights)", "\\m/", "long_hair")


def test_what_captions_beside_images_cannot_say_is_told_once_each(tmp_path):
    """Date, score, favourites, rating and the tags' categories; a source or an md5 is nobody's need."""
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("1girl")
    [found] = taken(tmp_path, tmp_path)
    told = " ".join(found.problems)
    assert len(found.problems) == 5
    assert all(name in told for name in ("categories", "created_at", "score", "fav_count", "rating"))
