import pytest

from generation.emphasis import parse
from generation.loading import load_parts
from generation.tokens import tokenise


@pytest.fixture(scope="module")
def tokenizer(tiny):
    return load_parts(tiny).tokenizer_2


def weighed(text):
    return [(piece.text, pytest.approx(piece.weight)) for piece in parse(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain", [("plain", 1)]),
        ("", [("", 1)]),
        ("(up)", [("up", 1.1)]),
        ("[down]", [("down", 1 / 1.1)]),
        ("((twice)) on", [("twice", 1.21), (" on", 1)]),
        ("(a:1.5)b", [("a", 1.5), ("b", 1)]),
        ("(a (b:2) c)", [("a ", 1.1), ("b", 2.2), (" c", 1.1)]),
        (r"saber \(fate\)", [("saber (fate)", 1)]),
        ("(open to the end", [("open to the end", 1.1)]),
        ("closes) nothing]", [("closes) nothing]", 1)]),
        ("(a: b)", [("a: b", 1.1)]),
        ("([mixed])", [("mixed", 1)]),
        ("(a:0)", [("a", 0)]),
        ("(a:-.5)", [("a", -0.5)]),
        # The example in AUTOMATIC1111's documentation; the weights are products of 1.1 and what stands there.
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [
                ("a ", 1), ("house", 1.3 * 1.21), (" ", 1.1), ("on", 1), (" a ", 1.1), ("hill", 0.55),
                (", sun, ", 1.1), ("sky", 1.1**4), (".", 1.1),
            ],
        ),
    ],
)  # fmt: skip
def test_weights_are_read_as_automatic1111_documents_them(text, wanted):
    assert weighed(text) == wanted


def test_every_character_knows_where_it_stood():
    text = r"(a\(b:1.2) c"
    for piece in parse(text):
        assert "".join(text[i] for i in piece.offsets) == piece.text


def test_a_weight_beyond_ten_is_refused():
    with pytest.raises(ValueError, match="weighs something 99 times"):
        parse("(a:99)")


def words(tokenizer, chunk):
    return tokenizer.decode(chunk.ids[1 : chunk.length - 1]).split()


def test_a_long_text_goes_on_in_further_chunks(tokenizer):
    tokens = tokenise(tokenizer, "hair " * 46 + "red blue", 48, long_prompts="chunks")
    assert [chunk.length for chunk in tokens.chunks] == [48, 4]
    assert words(tokenizer, tokens.chunks[1]) == ["red", "blue"]
    assert {len(chunk.ids) for chunk in tokens.chunks} == {48}
    assert (tokens.cut, tokens.cut_from) == ((), None)


def test_a_tag_is_not_split_between_chunks(tokenizer):
    """46 tokens fit; the 45th is a comma, so the tag behind it moves on as a whole."""
    tokens = tokenise(tokenizer, "hair " * 44 + ", long blue hair", 48, long_prompts="chunks")
    assert [chunk.length for chunk in tokens.chunks] == [47, 5]
    assert words(tokenizer, tokens.chunks[1]) == ["long", "blue", "hair"]


def test_a_comma_that_does_not_fit_moves_nothing(tokenizer):
    tokens = tokenise(tokenizer, "red, " + "hair " * 44 + ", blue", 48, long_prompts="chunks")
    assert tokens.chunks[0].length == 48
    assert words(tokenizer, tokens.chunks[1]) == [",", "blue"]


def test_no_comma_within_twenty_tokens_moves_nothing(tokenizer):
    tokens = tokenise(tokenizer, "hair " * 20 + ", " + "hair " * 26, 48, long_prompts="chunks")
    assert [chunk.length for chunk in tokens.chunks] == [48, 3]


def test_break_begins_a_new_chunk(tokenizer):
    tokens = tokenise(tokenizer, "red hair BREAK blue eyes", 48, syntax="a1111", long_prompts="chunks")
    assert [words(tokenizer, chunk) for chunk in tokens.chunks] == [["red", "hair"], ["blue", "eyes"]]


def test_weights_stand_beside_their_tokens(tokenizer):
    (chunk,) = tokenise(tokenizer, "red (blue hair:1.5) smile", 48, syntax="a1111").chunks
    assert chunk.weights[:6] == (1, 1, 1.5, 1.5, 1, 1)
    assert len(chunk.weights) == 48


def test_literal_text_keeps_its_brackets(tokenizer):
    (chunk,) = tokenise(tokenizer, "(smile)", 48).chunks
    assert words(tokenizer, chunk) == ["(", "smile", ")"]
    assert set(chunk.weights) == {1}


def test_a_cut_is_located_in_the_text_as_it_was_typed(tokenizer):
    text = r"\(" + "hair " * 45 + "(smile:1.2) red"
    tokens = tokenise(tokenizer, text, 48, syntax="a1111")
    assert tokens.cut == ("smile", "red")
    assert text[tokens.cut_from :] == "smile:1.2) red"
