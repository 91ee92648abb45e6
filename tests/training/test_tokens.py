import pytest

from training.tokens import END, build_tokenizers, count_words, train_merges, vocabulary

TAGS = ["1girl", "blue_hair", "blue_eyes", "half-closed_eyes", ":o", "akari"]


def tokens(text: str) -> list[str]:
    first, _ = build_tokenizers(train_merges(count_words(TAGS)), 16)
    return list(first.tokenize(text))


def test_merges_by_hand() -> None:
    # Pairs: a+b</w> 3 times, x+a 1, a+a 1, a+b 1 ... the most frequent first, then alphabetically.
    assert train_merges({"ab": 3, "cab": 1}) == [("a", "b</w>"), ("c", "ab</w>")]


def test_every_word_of_a_tag_and_every_name_is_one_token() -> None:
    assert tokens("1girl, blue hair, half-closed eyes, :o, akari") == [
        "1</w>", "girl</w>", ",</w>", "blue</w>", "hair</w>", ",</w>", "half</w>", "-</w>", "closed</w>", "eyes</w>",
        ",</w>", ":</w>", "o</w>", ",</w>", "akari</w>",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["zeppelin", "Übermut", "猫", "blueish"])
def test_any_other_text_splits_into_known_pieces(text: str) -> None:
    first, _ = build_tokenizers(train_merges(count_words(TAGS)), 16)
    ids = first(text, add_special_tokens=False)["input_ids"]
    assert ids
    assert first.decode(ids).strip() == text.lower()
    assert first.unk_token_id not in ids or first.unk_token == END


def test_the_pair_pads_as_sdxl_does() -> None:
    first, second = build_tokenizers(train_merges(count_words(TAGS)), 16)
    assert first.pad_token_id == first.eos_token_id == max(vocabulary(train_merges(count_words(TAGS))).values())
    assert (second.pad_token_id, second.pad_token) == (0, "!")
