"""Posts out of every kind of file, and the place of whatever is wrong."""

import dataclasses
import datetime
import json
import sqlite3

import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from tests.training.test_captions import POST
from training.errors import UserError
from training.intake import Images, take_in
from training.parquet import write_rows
from training.posts import parse_post, to_record
from training.sources import line_parts, parts_of, read_posts
from training.vocabulary import Vocabulary

POSTS = [
    dataclasses.replace(
        POST, id=number, md5=f"{number:032x}", file_path=f"{number}.png",
        texts=("One line.", "Another, longer.")[: number % 3],
        score=number - 5, synthetic=number % 4 == 0, register="a1b2c3" if number % 5 == 0 else "",
    )
    for number in range(1, 41)
]  # fmt: skip


def as_lines(path):
    path.write_text("".join(json.dumps(to_record(post)) + "\n" for post in POSTS))


def as_json(path):
    path.write_text(json.dumps([to_record(post) for post in POSTS]))


def as_parquet(path):
    write_rows(path, map(to_record, POSTS))


def as_sqlite(path):
    records = [to_record(post) for post in POSTS]
    names = sorted({name for record in records for name in record})
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE posts ({', '.join(names)})")
        for record in records:
            values = [json.dumps(v) if isinstance(v := record.get(name), list) else v for name in names]
            connection.execute(f"INSERT INTO posts VALUES ({', '.join('?' * len(names))})", values)
    connection.close()


@pytest.mark.parametrize(
    ("name", "write"),
    [("posts.jsonl", as_lines), ("posts.json", as_json), ("posts.parquet", as_parquet), ("posts.sqlite", as_sqlite)],
)
def test_every_format_gives_the_same_posts(tmp_path, name, write):
    write(tmp_path / name)
    assert read_posts(tmp_path / name) == POSTS


def test_a_folder_of_files_is_read_in_order(tmp_path):
    (tmp_path / "b.jsonl").write_text(json.dumps(to_record(POSTS[1])) + "\n")
    (tmp_path / "a.jsonl").write_text(json.dumps(to_record(POSTS[0])) + "\n")
    assert [post.id for post in read_posts(tmp_path)] == [1, 2]


@pytest.mark.parametrize("size", [1, 100, 777, 5000, 10**6])
def test_parts_of_lines_are_whole_and_keep_their_line_numbers(tmp_path, size):
    path = tmp_path / "posts.jsonl"
    as_lines(path)
    path.write_text(path.read_text().replace("\n", "\n\n", 3))
    parts = line_parts(path, size)
    assert len(parts) > 1 or size > 20_000
    found = [(where, record["id"]) for part in parts for where, record in part.records()]
    assert [number for _, number in found] == list(range(1, 41))
    lines = path.read_text().split("\n")
    for where, number in found:
        assert json.loads(lines[int(where.rsplit(" ", 1)[1]) - 1])["id"] == number


def test_times_of_parquet_may_be_timestamps(tmp_path):
    record = to_record(POSTS[0]) | {"created_at": datetime.datetime(2020, 1, 2, 3)}
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([record]), tmp_path / "posts.parquet")
    [post] = read_posts(tmp_path / "posts.parquet")
    assert post.created_at == datetime.datetime(2020, 1, 2, 3, tzinfo=datetime.UTC)


def picture(path, size=(30, 20)):
    Image.new("RGB", size, "red").save(path)


def test_a_folder_of_images_with_captions(tmp_path):
    for name in ("a", "b", "c", "d"):
        picture(tmp_path / f"{name}.png")
    (tmp_path / "a.txt").write_text("1girl, zoe, long hair, solo\nA girl stands there.\nShe smiles.\n")
    (tmp_path / "b.caption").write_text("A quiet room.")
    (tmp_path / "c.json").write_text(json.dumps({"danbooru": to_record(POSTS[6])}))
    vocabulary = Vocabulary({"1girl": "general", "zoe": "character", "long_hair": "general", "solo": "general"})
    [part] = parts_of(tmp_path)
    found = list(take_in(part, vocabulary, Images(tmp_path)))
    a, b, c, d = found
    assert (a.post.character, a.post.general) == (("zoe",), ("1girl", "long_hair", "solo"))
    assert a.post.texts == ("A girl stands there.", "She smiles.")
    assert (a.post.image_width, a.post.image_height, a.post.file_ext, a.post.id) == (30, 20, "png", 1)
    assert b.post.texts == ("A quiet room.",)
    assert "has no tags" in b.problems
    assert (c.post.id, c.post.file_path, c.post.general) == (7, "c.png", POSTS[6].general)
    assert d.post is None
    assert "d.png has no caption beside it" in d.problems[0]
    assert d.id == 4
    (tmp_path / "d.json").write_text("{broken")
    [*_, d] = take_in(part, vocabulary, Images(tmp_path))
    assert (d.id, d.post, "not JSON" in d.problems[0]) == (4, None, True)


def test_tags_without_categories_are_sorted_by_the_vocabulary(tmp_path):
    record = {name: value for name, value in to_record(POSTS[0]).items() if not name.startswith("tag_string")}
    path = tmp_path / "posts.jsonl"
    path.write_text(json.dumps(record | {"tag_string": "1girl zoe hat strange"}) + "\n")
    [part] = parts_of(path)
    vocabulary = Vocabulary({"1girl": "general", "zoe": "character", "hat": "general"})
    [found] = take_in(part, vocabulary, Images(tmp_path))
    assert (found.post.general, found.post.character) == (("1girl", "hat", "strange"), ("zoe",))
    assert found.problems == ("has tags of unknown category, taken as general: strange",)
    [found] = take_in(part, None, Images(tmp_path))
    assert "without categories" in found.problems[0]


@pytest.mark.parametrize(
    ("change", "problem", "left"),
    [
        ({"created_at": None}, "'created_at' must be str", {"created_at": None}),
        ({"created_at": "soon"}, "no ISO 8601", {"created_at": None}),
        ({"score": None}, "'score' must be int", {"score": None}),
        ({"rating": "x"}, "one of g, s, q, e", {"rating": ""}),
        ({"tag_string_general": 3}, "'tag_string_general' must be str", {"general": ()}),
    ],
)
def test_what_a_post_lacks_is_reported_and_left_out(change, problem, left):
    problems = []
    post = parse_post(to_record(POSTS[0]) | change, "here", problems.append)
    assert post == dataclasses.replace(POSTS[0], **left)
    assert len(problems) == 1
    assert problem in problems[0]


@pytest.mark.parametrize("change", [{"id": "7"}, {"image_width": 0}, {"file_path": "../x"}])
def test_what_a_post_cannot_do_without_makes_it_unusable(tmp_path, change):
    path = tmp_path / "posts.jsonl"
    lines = [json.dumps(to_record(POSTS[0]) | change), "{broken", "[" * 100_000, json.dumps(to_record(POSTS[1]))]
    path.write_text("\n".join(lines))
    [part] = parts_of(path)
    first, second, deep, third = take_in(part, None, Images(tmp_path))
    assert (first.post, second.post, deep.post) == (None, None, None)
    assert "too deep" in deep.problems[0]
    assert first.where == f"{path} line 1"
    assert next(iter(change)) in first.problems[-1]
    assert "not JSON" in second.problems[0]
    assert third.post == POSTS[1]


def test_an_unreadable_shard_is_one_more_problem(tmp_path):
    path = tmp_path / "posts.parquet"
    as_parquet(path)
    parts = parts_of(path)
    data = bytearray(path.read_bytes())
    data[4:200] = b"\0" * 196
    path.write_bytes(data)
    found = [one for part in parts for one in take_in(part, None, Images(tmp_path))]
    assert any(one.post is None and "cannot be read" in one.problems[0] for one in found)
    assert found[-1].where == f"{path} row group 0 from row 0 on"
    path.write_bytes(b"PAR1 nothing")
    with pytest.raises(UserError, match="no readable Parquet file"):
        parts_of(path)


def test_an_unreadable_file_does_not_hide_those_beside_it(tmp_path):
    as_parquet(tmp_path / "b.parquet")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 nothing")
    first, *others = [one for part in parts_of(tmp_path) for one in take_in(part, None, Images(tmp_path))]
    assert (first.post, first.where) == (None, str(tmp_path / "a.parquet"))
    assert "no readable Parquet file" in first.problems[0]
    assert [one.post for one in others] == POSTS
    with pytest.raises(UserError, match=r"a.parquet is no readable Parquet file"):
        read_posts(tmp_path)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("{file_path}", "7.png"),
        ("{md5_2}/{md5}.{file_ext}", f"00/{7:032x}.png"),
        ("{id_3}/{id}.{file_ext}", "0007/7.png"),
    ],
)
def test_where_images_lie(tmp_path, pattern, expected):
    assert Images(tmp_path, pattern).path(vars(POSTS[6])) == tmp_path / expected


def test_a_wrong_pattern_is_named(tmp_path):
    with pytest.raises(UserError, match=r"image pattern '{name}' is wrong"):
        Images(tmp_path, "{name}").path(vars(POSTS[0]))


@pytest.mark.parametrize(("name", "message"), [("x.sqlite", "needs a table named posts"), ("x.parquet", "no readable")])
def test_files_that_are_not_what_they_say(tmp_path, name, message):
    (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match=message):
        parts_of(tmp_path / name)
