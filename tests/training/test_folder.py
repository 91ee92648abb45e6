"""A prepared set is read back with its tags, so that no register token is one of them."""

import dataclasses

import pytest

from tests.training.preparing import SMALL, post, run, write
from tests.training.test_captions import POST
from training.caption_config import CaptionConfig
from training.captions import caption
from training.config import load_captions
from training.errors import UserError
from training.folder import with_vocabulary
from training.loader import Loader
from training.posts import to_record
from training.prepare import Preparation, prepare
from training.vocabulary import read_vocabulary

RECORDS = dataclasses.replace(SMALL, write="records")
ALWAYS = CaptionConfig(register_rate=1.0, uncond_rate=0)


def drawn(number, config):
    return caption(post(number), config, 0, 0).trace.register


@pytest.fixture
def unlucky():
    """The register tokens that two posts would get, as tags of another post and of the vocabulary."""
    return drawn(1, ALWAYS)[0], drawn(2, ALWAYS)[0]


@pytest.fixture
def source(tmp_path, unlucky):
    records = [to_record(post(number)) for number in (1, 2)] + [to_record(post(3, artist=(unlucky[0],)))]
    (tmp_path / "tags.csv").write_text(f"name,category,count\n1girl,0,9\n{unlucky[1]},4,5\n")
    return write(tmp_path / "source", records)


def test_a_set_keeps_its_tags_and_those_of_its_vocabulary(source, tmp_path, unlucky):
    run(source, tmp_path / "out", dataclasses.replace(RECORDS, vocabulary=str(tmp_path / "tags.csv")))
    found = read_vocabulary(tmp_path / "out" / "vocabulary.csv", print)
    assert found.counts["solo"] == 3
    assert (found.categories[unlucky[0]], found.counts[unlucky[0]]) == ("artist", 1)
    assert (found.categories[unlucky[1]], found.counts[unlucky[1]]) == ("character", 0)
    assert list(found.counts.values()) == sorted(found.counts.values(), reverse=True)


def test_register_tokens_are_no_tags_of_the_set(source, tmp_path, unlucky):
    run(source, tmp_path / "out", dataclasses.replace(RECORDS, vocabulary=str(tmp_path / "tags.csv")))
    config = with_vocabulary(ALWAYS, tmp_path / "out")
    assert {*unlucky, "solo", "smile", "1girl"} <= config.register_excluded
    assert "long_hair" not in config.register_excluded, "no register token holds an underscore"
    for number, token in zip((1, 2), unlucky, strict=True):
        found = drawn(number, config)
        assert token not in found
        assert found[1:] == drawn(number, ALWAYS)[1:], "the other tokens stay"


def test_of_unprepared_posts_the_tags_are_those_that_they_have(source, unlucky):
    for data in (source, source / "posts.jsonl"):
        excluded = with_vocabulary(ALWAYS, data).register_excluded
        assert unlucky[0] in excluded
        assert unlucky[1] not in excluded


def test_nothing_is_read_where_no_register_token_is_drawn(tmp_path):
    assert with_vocabulary(load_captions("v0.1"), tmp_path / "nowhere") == load_captions("v0.1")
    with pytest.raises(UserError, match="is missing"):
        with_vocabulary(load_captions("v2.0"), tmp_path / "nowhere")


def test_the_loader_keeps_to_the_sets_tags(source, tmp_path, unlucky):
    prepare(Preparation(source, tmp_path / "out", source, SMALL), command="")
    buckets = dataclasses.replace(SMALL.buckets, sets=(dataclasses.replace(
        SMALL.buckets.sets[0], megapixels=0.001, step=8, min_side=16, max_side=64),))  # fmt: skip
    loader = Loader(tmp_path / "out", [post(1)], buckets, ALWAYS, batch=1, seed=0)
    [sample] = loader.load(0, 0)
    assert unlucky[0] not in sample.caption.split(", ")
    assert POST.general[0] in sample.caption
