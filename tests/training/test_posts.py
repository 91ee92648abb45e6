import datetime
import json
from pathlib import Path

import pytest

from training.errors import UserError
from training.posts import parse_post
from training.sources import read_posts

REAL_POST = Path(__file__).parents[1] / "data" / "danbooru_post.json"


@pytest.fixture
def record():
    return json.loads(REAL_POST.read_text())["danbooru"]


def write_lines(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_reads_a_real_danbooru_post():
    [post] = read_posts(REAL_POST)
    assert post.id == 6814120
    assert post.created_at == datetime.datetime(2023, 10, 26, 12, 20, 14, 250000, tzinfo=datetime.UTC)
    assert (post.score, post.fav_count, post.rating) == (16, 13, "s")
    assert (post.image_width, post.image_height) == (4586, 3758)
    assert post.character == ("amiya_(arknights)",)
    assert post.copyright == ("arknights",)
    assert post.artist == ("ganet_p",)
    assert post.meta == ("absurdres", "commentary_request", "highres")
    assert (len(post.general), post.general[0], post.general[-1]) == (41, "1girl", "white_socks")
    assert post.file_path == ""


def test_reads_json_lines_and_skips_blank_ones(tmp_path, record):
    path = tmp_path / "posts.jsonl"
    path.write_text(json.dumps(record) + "\n\n" + json.dumps(record | {"id": 7}) + "\n")
    assert [post.id for post in read_posts(tmp_path)] == [6814120, 7]


def test_a_repeated_tag_counts_once(record):
    assert parse_post(record | {"tag_string_general": "solo 1girl solo"}, "here").general == ("solo", "1girl")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("id", "12", "'id' must be int"),
        ("id", True, "'id' must be int"),
        ("id", 0, "at least 1"),
        ("score", 1.5, "'score' must be int"),
        ("fav_count", -1, "at least 0"),
        ("rating", "x", "one of g, s, q, e"),
        ("created_at", "yesterday", "no ISO 8601 time"),
        ("created_at", "2020-01-01T00:00:00", "no time zone"),
        ("created_at", "0001-01-01T00:00:00+14:00", "no ISO 8601 time"),
        ("id", 2**63, "'id' must be at most 9223372036854775807"),
        ("score", -(2**63), "'score' must be at most 9223372036854775807"),
        ("image_width", 0, "at least 1"),
        ("tag_string_general", ["1girl"], "must be str"),
        ("tag_string_general", "1girl a,b c,", "field 'tag_string_general' has tags with a comma: 'a,b', 'c,'"),
        ("file_path", "../secret.png", "inside the data set"),
        ("file_path", "/etc/passwd", "inside the data set"),
    ],
)
def test_a_wrong_field_is_named_with_file_line_and_post(tmp_path, record, field, value, message):
    path = write_lines(tmp_path / "posts.jsonl", record | {"id": 5}, record | {field: value})
    with pytest.raises(UserError, match=message) as error:
        read_posts(path)
    assert f"{path} line 2, post " in str(error.value)
    assert field in str(error.value)


@pytest.mark.parametrize("field", ["id", "created_at", "score", "rating", "tag_string_general", "tag_string_meta"])
def test_a_missing_field_is_named(record, field):
    del record[field]
    with pytest.raises(UserError, match=f"field '{field}' is missing"):
        parse_post(record, "posts.jsonl line 1")


def test_an_id_twice_is_refused(tmp_path, record):
    path = write_lines(tmp_path / "posts.jsonl", record, record)
    with pytest.raises(UserError, match=r"line 2, post 6814120: this id came before"):
        read_posts(path)


def test_broken_json_is_named_with_its_line(tmp_path, record):
    path = tmp_path / "posts.jsonl"
    path.write_text(json.dumps(record) + "\n{broken\n")
    with pytest.raises(UserError, match="line 2: not JSON"):
        read_posts(path)


@pytest.mark.parametrize("content", [b"[1, 2]\n", b"3\n"])
def test_a_line_that_is_no_object_is_refused(tmp_path, content):
    (tmp_path / "posts.jsonl").write_bytes(content)
    with pytest.raises(UserError, match="must be a JSON object"):
        read_posts(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "posts.jsonl").write_bytes(b"\xff\xfe\n")
    with pytest.raises(UserError, match="not UTF-8 text at byte 0"):
        read_posts(tmp_path)


def test_a_missing_data_set_says_how_to_make_one(tmp_path):
    with pytest.raises(UserError, match="python -m training dataset demo"):
        read_posts(tmp_path / "nowhere")
