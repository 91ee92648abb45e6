"""Tokens counted as the text encoders will read them."""

import json
from pathlib import Path

import pytest
from transformers import CLIPTokenizer

from training.errors import UserError
from training.token_counts import WORDS, of_checkpoint
from training.tokens import build_tokenizers, count_words, train_merges, vocabulary

BASE = Path(__file__).parents[2] / "training" / "base" / "shared" / "tokenizer"
TEXTS = (
    "1girl, solo, blue hair, smile",
    "A girl's book, isn't it? 2023!!  ^_^",
    "女の子, café, ｆｕｌｌ",
    "",
)


@pytest.fixture
def published(tmp_path):
    """A tokenizer of 77 positions in the two files that SDXL comes with."""
    merges = train_merges(count_words(["1girl", "solo", "blue_hair", "smile", "book"]))
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary(merges)))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    (tmp_path / "tokenizer_config.json").write_text('{"model_max_length": 77}')
    return tmp_path, build_tokenizers(merges, 77)[0]


@pytest.mark.parametrize("text", TEXTS)
def test_the_two_files_of_sdxl_count_as_transformers_does(published, text):
    folder, theirs = published
    counter = of_checkpoint(folder)
    assert counter.reads == 75
    assert counter.count(text) == len(theirs(text, add_special_tokens=False).input_ids)


@pytest.mark.parametrize("text", TEXTS)
def test_one_file_counts_as_transformers_does(text):
    counter = of_checkpoint(BASE)
    assert (counter.reads, counter.exact, counter.name) == (46, True, str(BASE))
    theirs = CLIPTokenizer.from_pretrained(BASE)
    assert counter.count(text) == len(theirs(text, add_special_tokens=False).input_ids)


def test_words_by_hand_and_never_more_than_tokens():
    """1 girl , solo , blue hair , smile; and A girl 's book , isn 't it ? 2 0 2 3 !! ^_^."""
    assert (WORDS.reads, WORDS.exact) == (75, False)
    assert [WORDS.count(text) for text in TEXTS] == [9, 15, 5, 0]
    exact = of_checkpoint(BASE)
    assert all(WORDS.count(text) <= exact.count(text) for text in TEXTS)


def test_a_folder_without_tokenizer_is_named(tmp_path):
    with pytest.raises(UserError, match="holds no tokenizer"):
        of_checkpoint(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match="name the folder `tokenizer` of a checkpoint"):
        of_checkpoint(tmp_path)
