"""A source with every fault goes in; a line for each thing left out comes out."""

import dataclasses
import json
import struct
import zlib

import pytest
from PIL import Image

from tests.training.preparing import SMALL, lines, post, run, write
from training.errors import UserError
from training.parquet import write_rows
from training.posts import to_record
from training.prepare_config import PrepareConfig
from training.prune import ScoreRule
from training.sources import read_posts


@pytest.fixture
def faulty(tmp_path):
    """Each kind of bad input once, among sound posts."""
    good = [to_record(post(number)) for number in range(1, 11)]
    records = [
        *good,
        to_record(post(20, size=(10, 10))),
        to_record(post(21, size=(100, 50))),
        to_record(post(22, size=(80, 16))),
        to_record(post(23)),  # its image is missing
        to_record(post(24)),  # its image is damaged
        to_record(post(25, size=(48, 40))),  # made smaller
        to_record(post(3)) | {"file_path": "5.png"},  # an id that came before
        to_record(post(26)) | {"md5": good[0]["md5"]},
        to_record(post(27)) | {"created_at": None, "score": None},
        to_record(post(28)) | {"tag_string_general": "", "tag_string_character": "", "tag_string_copyright": "",
                               "tag_string_artist": "", "tag_string_meta": ""},
        to_record(post(29)) | {"rating": "?"},
        to_record(post(30)),  # its image is of another size
        to_record(post(32)) | {"tag_string_general": "1girl a,b solo"},
        "{not json\n",
        to_record(post(31)) | {"id": "thirty-one"},
    ]  # fmt: skip
    folder = write(tmp_path / "source", [record for record in records if record != records[-1]])
    with (folder / "posts.jsonl").open("a") as file:
        file.write(json.dumps(records[-1]) + "\n")
    (folder / "23.png").unlink()
    (folder / "24.png").write_bytes((folder / "24.png").read_bytes()[:100])
    Image.new("RGB", (33, 31)).save(folder / "30.png")
    return folder


def test_every_fault_is_reported_by_post_and_the_run_goes_on(faulty, tmp_path):
    manifest = run(faulty, tmp_path / "out")
    kept = read_posts(tmp_path / "out")
    assert [one.id for one in kept] == [*range(1, 11), 25, 26, 27, 28, 29, 30, 32]
    assert kept[-1].general == ("1girl", "solo")
    removed = {(line["post"], line["reason"]) for line in lines(tmp_path / "out", "removed")}
    assert removed == {
        (20, "small"), (21, "large"), (22, "elongated"), (23, "missing file"), (24, "unreadable"), (3, "duplicate id"),
        (0, "unusable record"),
    }  # fmt: skip
    details = [line["detail"] for line in lines(tmp_path / "out", "removed") if line["reason"] == "unusable record"]
    assert len(details) == 2
    assert "not JSON" in details[0]
    assert "'id' must be int" in details[1]
    problems = [(line["post"], line["problem"]) for line in lines(tmp_path / "out", "problems") if line["kept"]]
    for number, text in [(26, "has the same file"), (27, "created_at"), (27, "score"), (28, "has no tags"),
                         (29, "'rating' must be one of"), (30, "is 33x31, its record says 32x32"),
                         (32, "'tag_string_general' has tags with a comma: 'a,b'")]:  # fmt: skip
        assert any(found == number and text in problem for found, problem in problems), text
    assert (manifest["posts"], manifest["removed"]) == (17, 8)
    given = len((faulty / "posts.jsonl").read_text().splitlines())
    assert manifest["posts"] + manifest["removed"] == given, "nothing is dropped in silence"


@pytest.mark.parametrize("fault", ["{not json\n", {"created_at": None}, {"id": "x"}])
def test_the_policy_may_be_to_stop(tmp_path, fault):
    record = to_record(post(2))
    bad = fault if isinstance(fault, str) else record | fault
    source = write(tmp_path / "source", [to_record(post(1)), bad], images=False)
    with pytest.raises(UserError, match=r"posts.jsonl line 2, post"):
        run(source, tmp_path / "out", dataclasses.replace(SMALL, on_problem="stop", write="records"))
    assert not (tmp_path / "out" / "dataset.json").exists()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("missing", r"line 2, post 2: missing file: .*2.png cannot be read: No such file"),
        ("damaged", r"line 2, post 2: unreadable: .*2.png cannot be decoded"),
        ("of another size", r"line 2, post 2: is 33x31, its record says 32x32"),
        ("id twice", r"line 2, post 1: duplicate id: a post with this id came before"),
    ],
)
def test_the_policy_may_be_to_stop_at_a_picture_or_an_id_too(tmp_path, fault, message):
    source = write(tmp_path / "source", [to_record(post(1)), to_record(post(1 if fault == "id twice" else 2))])
    image = source / "2.png"
    if fault == "missing":
        image.unlink()
    elif fault == "damaged":
        image.write_bytes(image.read_bytes()[:100])
    elif fault == "of another size":
        Image.new("RGB", (33, 31)).save(image)
    with pytest.raises(UserError, match=message):
        run(source, tmp_path / "out", dataclasses.replace(SMALL, on_problem="stop"))
    assert not (tmp_path / "out" / "dataset.json").exists()
    assert not (tmp_path / "out" / "parts" / "00000").exists(), "nothing half-written"


def test_a_rule_that_a_post_does_not_meet_is_no_problem_to_stop_at(tmp_path):
    source = write(tmp_path / "source", [to_record(post(1)), to_record(post(2, size=(10, 10)))])
    assert run(source, tmp_path / "out", dataclasses.replace(SMALL, on_problem="stop"))["removed"] == 1


def broken_score(given, data):
    """A score with a mistake in it."""
    return 1 / 0


def test_a_damaged_picture_that_a_score_reads_is_left_out_as_any_other(tmp_path):
    source = write(tmp_path / "source", [to_record(post(1)), to_record(post(2))])
    (source / "2.png").write_bytes((source / "2.png").read_bytes()[:-200])
    rule = ScoreRule("compression", "training.prune:jpeg_bits_per_pixel", least=0.1)
    run(source, tmp_path / "out", dataclasses.replace(SMALL, prune=dataclasses.replace(SMALL.prune, scores=(rule,))))
    [line] = lines(tmp_path / "out", "removed")
    assert (line["post"], line["reason"]) == (2, "unreadable")


def test_a_score_that_fails_is_named_with_the_post(tmp_path):
    source = write(tmp_path / "source", [to_record(post(1))])
    rule = ScoreRule("mine", f"{__name__}:broken_score", least=0.1)
    config = dataclasses.replace(SMALL, prune=dataclasses.replace(SMALL.prune, scores=(rule,)))
    with pytest.raises(UserError, match=r"score 'mine' of post 1 \(1.png\): ZeroDivisionError"):
        run(source, tmp_path / "out", config)


def test_what_a_post_lacked_says_whether_the_post_stayed(tmp_path):
    """One without a score stays; another, too small as well, does not."""
    records = [to_record(post(1)) | {"score": None}, to_record(post(2, size=(10, 10))) | {"score": None}]
    run(write(tmp_path / "source", [*records, to_record(post(3))]), tmp_path / "out")
    assert {line["post"]: line["kept"] for line in lines(tmp_path / "out", "problems")} == {1: True, 2: False}


def test_a_vocabulary_with_a_comma_is_reported_or_stops(tmp_path):
    source = write(tmp_path / "source", [to_record(post(1))], images=False)
    tags = tmp_path / "tags.csv"
    tags.write_text('name,category,count,aliases\n1girl,0,5,\n"a,b",0,1,\n')
    config = dataclasses.replace(SMALL, vocabulary=str(tags), write="records")
    with pytest.raises(UserError, match=r"line 3: 'a,b' is no name"):
        run(source, tmp_path / "stop", dataclasses.replace(config, on_problem="stop"))
    run(source, tmp_path / "out", config)
    assert "'a,b' is no name" in (tmp_path / "out" / "vocabulary-problems.jsonl").read_text()


def test_nothing_usable_and_nothing_left_are_errors(tmp_path):
    source = write(tmp_path / "source", ["{broken\n"])
    with pytest.raises(UserError, match=r"has no usable post; the first problem: .*line 1: not JSON"):
        run(source, tmp_path / "a")
    source = write(tmp_path / "source", [to_record(post(1))])
    with pytest.raises(UserError, match=r"no post of .* is left"):
        run(source, tmp_path / "b", PrepareConfig())


def without_pixels(side):
    """A PNG of side x side that is nothing but its header and an empty chunk of pixels."""
    chunks = (b"IHDR" + struct.pack(">2I5B", side, side, 8, 2, 0, 0, 0), b"IDAT")
    written = (struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


@pytest.mark.parametrize(
    ("side", "reason", "detail"),
    [
        (5_000, "large", "5000x5000 has more than 4000 pixels"),
        (60_000, "unreadable", "3600000000 pixels) exceeds limit"),
    ],
)
def test_a_huge_picture_is_judged_by_its_header_and_never_decoded(tmp_path, side, reason, detail):
    source = write(tmp_path / "source", [to_record(post(1)), to_record(post(2))])
    (source / "2.png").write_bytes(without_pixels(side))
    run(source, tmp_path / "out")
    [line] = lines(tmp_path / "out", "removed")
    assert (line["post"], line["reason"]) == (2, reason)
    assert detail in line["detail"]


def test_tags_of_unknown_category_are_told_by_post(tmp_path):
    record = {name: value for name, value in to_record(post(7)).items() if not name.startswith("tag_string")}
    source = write(tmp_path / "source", [record | {"tag_string": "1girl zoe strange"}], images=False)
    tags = tmp_path / "tags.csv"
    tags.write_text("name,category,count\n1girl,0,5\nzoe,4,2\nnobody_knows,2,1\n")
    config = dataclasses.replace(SMALL, vocabulary=str(tags), write="records")
    run(source, tmp_path / "out", config)
    [kept] = read_posts(tmp_path / "out")
    assert (kept.general, kept.character) == (("1girl", "strange"), ("zoe",))
    [problem] = lines(tmp_path / "out", "problems")
    assert (problem["post"], problem["kept"]) == (7, True)
    assert problem["problem"] == "has tags of unknown category, taken as general: strange"
    assert "unknown category '2'" in (tmp_path / "out" / "vocabulary-problems.jsonl").read_text()


def test_an_unreadable_shard_is_reported_and_the_others_are_prepared(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name, numbers in (("a", (1, 2)), ("b", (3, 4)), ("c", (5, 6))):
        write_rows(source / f"{name}.parquet", [to_record(post(number)) for number in numbers])
    (source / "b.parquet").write_bytes((source / "b.parquet").read_bytes()[:-100])
    config = dataclasses.replace(SMALL, write="records")
    manifest = run(source, tmp_path / "out", config)
    assert [one.id for one in read_posts(tmp_path / "out")] == [1, 2, 5, 6]
    [line] = lines(tmp_path / "out", "removed")
    assert (line["file"], line["reason"]) == (str(source / "b.parquet"), "unusable record")
    assert "no readable Parquet file" in line["detail"]
    assert (manifest["posts"], manifest["removed"]) == (4, 1)
    with pytest.raises(UserError, match=r"b.parquet, post without id: .*no readable Parquet file"):
        run(source, tmp_path / "stop", dataclasses.replace(config, on_problem="stop"))
