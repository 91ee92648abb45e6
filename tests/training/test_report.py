"""The report's numbers against a set counted by hand, and the page against the numbers."""

import dataclasses
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.browser_window import browser_page
from tests.training.preparing import SMALL, post, run, write
from tests.training.test_captions import POST
from training.buckets import BucketConfig, BucketSet
from training.caption_config import PAPER_LEVELS, CaptionConfig, Level
from training.captions import caption
from training.cli import main
from training.errors import UserError
from training.expectation import expected_kept
from training.posts import to_record
from training.report import areas_of, gather
from training.report_captions import Asked
from training.report_page import page
from training.stages import TEXT_ONLY, UNCONDITIONAL
from training.token_counts import WORDS, of_checkpoint

BASE = Path(__file__).parents[2] / "training" / "base" / "shared" / "tokenizer"
BUCKETS = BucketConfig((BucketSet(0.001, step=8, min_side=16, max_side=64, enlarge=1.2),))
CONFIG = dataclasses.replace(SMALL, write="records", buckets=BUCKETS)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Ten girls, three boys of 2023, one crowd, and posts to leave out or to complain of."""
    folder = tmp_path_factory.mktemp("report")
    records = [to_record(post(number)) for number in range(1, 11)]
    records += [
        to_record(post(number, general=("1boy", "doctor", "hat"), character=("doctor_(arknights)",), rating="q"))
        | {"created_at": "2023-05-05T00:00:00+00:00"}
        for number in (11, 12, 13)
    ]
    records += [
        to_record(post(14, general=("2girls", "only_here_<b>"))),
        to_record(post(15, (10, 10), general=("1girl", "lost_tag"))),
        to_record(post(16, (200, 20))),
        to_record(post(17, (17, 17))),  # too small for the bucket
        to_record(post(3)) | {"image_width": 33},
        to_record(post(18)) | {"score": None},
    ]
    source = write(folder / "source", records, images=False)
    tags = folder / "tags.csv"
    tags.write_text("name,category,count\n1girl,0,9\nnever_drawn,0,5\n1boy,0,3\n")
    run(source, folder / "out", dataclasses.replace(CONFIG, vocabulary=str(tags)))
    return folder / "out"


@pytest.fixture(scope="module")
def values(prepared):
    return gather(Asked(prepared, CaptionConfig(levels=PAPER_LEVELS), "own", WORDS))


def test_counts_and_reasons(values):
    assert (values["manifest"]["posts"], values["manifest"]["removed"]) == (16, 3)
    assert values["reasons"] == {"small": 1, "elongated": 1, "duplicate id": 1}
    assert {(row["post"], row["reason"]) for row in values["removed"]} == {
        (15, "small"),
        (16, "elongated"),
        (3, "duplicate id"),
    }
    assert values["duplicates"] == {"ids": 1, "files": 0}
    assert values["problem_kinds"] == {"field 'score' must be int": 1}


def test_shares_before_and_after(values):
    persons = values["shares"]["persons"]
    assert (persons["1girl"]["before"], persons["1girl"]["after"]) == (15, 12)
    assert persons["1boy"]["share_after"] == pytest.approx(3 / 16)
    assert persons["several"]["after"] == 1
    assert values["shares"]["ratings"]["questionable"] == {
        "before": 3, "after": 3, "share_before": pytest.approx(3 / 19), "share_after": pytest.approx(3 / 16),
    }  # fmt: skip
    assert values["shares"]["years"]["2023"]["after"] == 3
    assert values["shares"]["qualities"]["none"]["after"] == 1
    [girl] = [row for row in values["top_tags"] if row["tag"] == "1girl"]
    assert (girl["before"], girl["after"]) == (15, 12)


def test_pictures_by_area(values):
    """18 of 32 x 32 and less, one of 200 x 20 and one of 10 x 10 make 19; none is larger than 0.15 megapixels."""
    areas = values["shares"]["megapixels"]
    assert areas["to 0.15"] == {"before": 19, "after": 16}
    assert list(areas) == ["to 0.15", "to 0.56", "to 1", "to 2.25", "to 4", "to 9", "to 40", "over 40"]
    assert sum(row["before"] for row in areas.values()) == 19


def test_areas_up_to_and_including_their_bound():
    sizes = Counter({"768x768": 5, "769x768": 3, "1024x1024": 2, "8192x5120": 1, "8192x5121": 4})
    found = {name: row["before"] for name, row in areas_of(sizes, Counter()).items() if row["before"]}
    assert found == {"to 0.56": 5, "to 1": 5, "to 40": 1, "over 40": 4}


def test_how_often_a_tag_of_each_group_stays(prepared):
    """Nothing but the weak-probability names is kept at a level of nothing: names stay, everything else goes."""
    config = CaptionConfig(levels=(Level(1.0, 0.0, 0),), name_protection=1.0, uncond_rate=0.0, year_number_rate=0.5)
    groups = gather(Asked(prepared, config, "own", WORDS))["captions"]["groups"]
    assert {name: row["kept"] / row["tags"] for name, row in groups.items()} == {
        "person": 0, "character": 1, "copyright": 0, "rating": 0, "general": 0, "meta": 0, "artist": 1, "quality": 0,
        "year": 0,
    }  # fmt: skip
    assert groups["person"]["tags"] == 16 * 4
    assert 16 * 4 < groups["year"]["tags"] < 2 * 16 * 4, "now and then the year by number as well"


def test_tags_never_seen(values):
    assert values["never_seen"]["lost_tags"] == ["lost_tag"]
    assert values["never_seen"]["absent_tags"] == ["never_drawn"]


def test_words_of_two_meanings(values):
    [doctor] = [row for row in values["ambiguous"] if row["word"] == "doctor"]
    assert {one["tag"]: one["posts"] for one in doctor["tags"]} == {"doctor": 3, "doctor_(arknights)": 3}
    assert doctor["unfocused"] == 6, "three tags each are few"
    assert all(one["boy"] == 3 for one in doctor["tags"])


def test_buckets_and_what_fits_none(values):
    [row] = values["buckets"]
    assert (row["pictures"], sum(row["lost"]), sum(one["pictures"] for one in row["fill"])) == (15, 15, 15)
    assert [one["pictures"] for one in row["fill"] if (one["width"], one["height"]) == (32, 32)] == [15]
    assert row["mean_lost"] == row["worst_lost"] == 0
    assert values["left_out_of_buckets"] == {
        "pictures": 1, "named": [{"post": 17, "file": "17.png", "size": "17x17"}],
    }  # fmt: skip


def test_captions_agree_with_arithmetic(values):
    found = values["captions"]
    assert found["captions"] == 64 == sum(found["tokens"])
    assert found["mean_kept"] == pytest.approx(found["mean_expected"], abs=1.5)


def test_words_are_counted_unless_a_tokenizer_is_named(tmp_path):
    """Ten and thirty tags of two words; seven more tags of nine words (aoi to average quality, old); and commas."""
    names = [f"big_{'x' * length}" for length in range(1, 31)]
    records = [to_record(post(1, general=tuple(names[:10]))), to_record(post(2, general=tuple(names)))]
    run(write(tmp_path / "source", records, images=False), tmp_path / "out", CONFIG)
    values = gather(Asked(tmp_path / "out", CaptionConfig(uncond_rate=0), "own", WORDS))
    found = values["captions"]
    assert {words: count for words, count in enumerate(found["tokens"]) if count} == {
        20 + 9 + 16: 4, 60 + 9 + 36: 4,
    }  # fmt: skip
    assert (found["limit"], found["exact"], found["truncated_share"]) == (75, False, 0.5)
    assert "at least as many tokens, and SDXL reads 75" in page(values)
    values = gather(Asked(tmp_path / "out", CaptionConfig(uncond_rate=0), "own", of_checkpoint(BASE)))
    assert (values["captions"]["limit"], values["captions"]["exact"]) == (46, True)
    assert values["captions"]["truncated_share"] == 1, "the demo's base knows none of these words"
    assert f"Tokens by {BASE}" in page(values)


@pytest.mark.parametrize("scope", ["caption", "tag"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_expected_tags_are_the_mean_over_many_captions(scope, dropout):
    many = dataclasses.replace(POST, general=tuple(f"thing_{n}" for n in range(30)), artist=("a", "b"), texts=("x",))
    config = CaptionConfig(levels=PAPER_LEVELS, tag_dropout=dropout, name_protection=0.7, name_scope=scope,
                           protected=frozenset({"thing_3", "aoi"}), text_rate=0.2, text_only_rate=0.1)  # fmt: skip
    traces = [caption(many, config, 0, epoch).trace for epoch in range(20_000)]
    kept = [len(one.places) for one in traces if one.stage not in {UNCONDITIONAL, TEXT_ONLY}]
    expected = expected_kept(len(traces[0].tags), 2, 2, config)
    assert np.mean(kept) == pytest.approx(expected, abs=4 * np.std(kept) / len(kept) ** 0.5)


def test_the_command_writes_page_and_numbers(prepared, tmp_path, capsys):
    assert main(["report", str(prepared), "--out", str(tmp_path), "--captions", "v1.0"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "report.html")
    values = json.loads((tmp_path / "report.json").read_text())
    html = (tmp_path / "report.html").read_text()
    assert values["captions"]["config"] == "v1.0"
    for row in values["removed"]:
        assert f"<td>{row['detail']}</td>" in html
    assert "only_here_&lt;b&gt;" in html
    assert "only_here_<b>" not in html
    assert "<script" not in html
    assert "http" not in html.replace("http://www.w3.org", "")


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_the_page_fits_its_window(prepared, tmp_path, width):
    assert main(["report", str(prepared), "--out", str(tmp_path)]) == 0
    with browser_page(width=width) as page:
        page.goto((tmp_path / "report.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("svg").count() >= 8
        assert page.locator("figure").first.is_visible()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no folder nowhere: name a run's, or that of a prepared set"),
        (["SET", "--tokenizer", "nowhere"], "holds no tokenizer"),
        (["SET", "--captions", "x"], "no file x"),
    ],
)
def test_wrong_arguments_are_named(prepared, capsys, arguments, message):
    assert main(["report", *(str(prepared) if word == "SET" else word for word in arguments)]) == 1
    assert message in capsys.readouterr().err


def test_a_set_that_is_not_prepared_is_refused(small_data):
    with pytest.raises(UserError, match="is not prepared: run"):
        gather(Asked(small_data, CaptionConfig(), "own", WORDS))
