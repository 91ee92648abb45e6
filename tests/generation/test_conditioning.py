import pytest
import torch

from generation.conditioning import condition, encode_text, time_ids
from generation.loading import load_parts
from generation.recipe import Recipe
from generation.tokens import tokenise


@pytest.fixture(scope="module")
def parts(tiny):
    return load_parts(tiny)


def test_a_short_text_is_framed_and_padded(parts):
    tokenizer = parts.tokenizer_2
    tokens = tokenise(tokenizer, "blue hair", 48)
    vocabulary = tokenizer.get_vocab()
    words = [vocabulary[word] for word in ("<|startoftext|>", "blue</w>", "hair</w>", "<|endoftext|>")]
    assert tokens.ids == (*words, *[0] * 44)
    assert (tokens.length, tokens.cut, tokens.cut_from) == (4, (), None)


def test_the_first_tokenizer_pads_with_the_end_token(parts):
    tokens = tokenise(parts.tokenizer, "blue hair", 48)
    assert set(tokens.ids[3:]) == {parts.tokenizer.eos_token_id}
    assert tokens.length == 4


def test_what_does_not_fit_is_listed_and_located(parts):
    text = "hair " * 46 + "red Blue"
    tokens = tokenise(parts.tokenizer, text, 48)
    assert len(tokens.ids) == 48
    assert tokens.ids[-1] == parts.tokenizer.eos_token_id
    assert tokens.cut == ("red", "Blue")
    assert text[tokens.cut_from :] == "red Blue"


def test_a_text_that_just_fits_is_not_cut(parts):
    tokens = tokenise(parts.tokenizer, "hair " * 46, 48)
    assert (tokens.length, tokens.cut) == (48, ())


def test_the_mask_covers_begin_to_first_end_token(parts):
    mask = encode_text(parts, ["", "blue hair", "blue <|endoftext|> hair", "hair " * 60]).mask
    assert mask.sum(dim=1).tolist() == [2, 4, 3, 48]
    assert mask[1].tolist() == [1.0] * 4 + [0.0] * 44


def test_shapes_and_gradients(parts):
    condition = encode_text(parts, ["1girl", "1boy, long hair"])
    assert condition.hidden.shape == (2, 48, 16 + 24)
    assert condition.pooled.shape == (2, 24)
    (condition.hidden.sum() + condition.pooled.sum()).backward()
    for encoder in (parts.text_encoder, parts.text_encoder_2):
        assert encoder.get_input_embeddings().weight.grad.abs().sum() > 0
        encoder.zero_grad()


def test_padding_does_not_reach_the_real_tokens(parts):
    """CLIP is causal, so cutting the padding off must not change what stands before it."""
    tokens = tokenise(parts.tokenizer, "blue hair", 48)
    alone = parts.text_encoder(torch.tensor([tokens.ids[: tokens.length]]), output_hidden_states=True).hidden_states[-2]
    padded = encode_text(parts, ["blue hair"]).hidden[:, :4, :16]
    torch.testing.assert_close(padded, alone, atol=1e-6, rtol=0)


def test_pooled_depends_on_the_text(parts):
    pooled = encode_text(parts, ["blue hair", "red hair"]).pooled
    assert (pooled[0] - pooled[1]).abs().max() > 1e-3


def test_time_ids_are_original_size_crop_and_target_size():
    assert time_ids(48, 64, 2).tolist() == [[48, 64, 0, 0, 48, 64]] * 2


def chunked(parts, *prompts, **fields):
    recipe = Recipe(batch=len(prompts), long_prompts="chunks", prompt_syntax="a1111", **fields)
    with torch.inference_mode():
        return condition(parts, recipe, prompts)


LONG = "hair " * 46 + "red eyes, smile"


def test_chunks_are_encoded_one_by_one_and_joined(parts):
    """Pooled comes from the first chunk alone; the shorter side is filled up with an empty chunk."""
    text = chunked(parts, LONG).text
    with torch.inference_mode():
        first, second, empty = (encode_text(parts, [part] * 2) for part in ("hair " * 46, "red eyes, smile", ""))
    assert text.hidden.shape == (2, 96, 40)
    torch.testing.assert_close(text.hidden[1], torch.cat([first.hidden[1], second.hidden[1]]), atol=1e-6, rtol=0)
    torch.testing.assert_close(text.hidden[0], torch.cat([empty.hidden[0]] * 2), atol=1e-6, rtol=0)
    torch.testing.assert_close(text.pooled[1], first.pooled[1], atol=1e-6, rtol=0)
    assert text.mask.sum(dim=1).tolist() == [2, 48 + 6]


def test_captions_of_several_chunks_are_what_long_prompts_are(parts):
    """Training and rendering read a long text alike; the empty rest counts as padding, what is over is cut."""
    with torch.inference_mode():
        caption, short, cut = (encode_text(parts, [LONG, "smile"], chunks) for chunks in (3, 2, 1))
    prompt = chunked(parts, LONG, "smile").text
    assert caption.hidden.shape == (2, 144, 40)
    torch.testing.assert_close(caption.hidden[:, :96], short.hidden, atol=1e-6, rtol=0)
    torch.testing.assert_close(short.hidden[0], prompt.hidden[2], atol=1e-6, rtol=0)
    torch.testing.assert_close(cut.hidden, short.hidden[:, :48], atol=1e-6, rtol=0)
    torch.testing.assert_close(cut.pooled, caption.pooled, atol=1e-6, rtol=0)
    assert caption.mask.sum(dim=1).tolist() == [48 + 6, 3]
    assert short.mask[1, 48:].sum() == caption.mask[0, 96:].sum() == 0


def test_both_sides_of_an_image_get_equally_many_positions(parts):
    views = chunked(parts, LONG, "smile").views
    assert [(view.length, view.rows.tolist()) for view in views] == [(48, [1, 3]), (96, [0, 2])]


def test_with_minimal_padding_each_row_has_its_own_length(parts):
    views = chunked(parts, LONG, "smile", padding="minimal").views
    assert [(view.length, view.rows.tolist()) for view in views] == [(2, [0, 1]), (3, [3]), (54, [2])]


def test_weights_multiply_and_keep_the_mean_of_a_chunk(parts):
    plain, strong = chunked(parts, "red hair").text.hidden, chunked(parts, "red (hair:1.5)").text.hidden
    assert torch.equal(plain[0], strong[0])
    for width in (slice(0, 16), slice(16, 40)):
        before, after = plain[1, :, width], strong[1, :, width]
        scaled = before.clone()
        scaled[2] *= 1.5  # begin, red, hair
        torch.testing.assert_close(after, scaled * (before.mean() / scaled.mean()), atol=1e-5, rtol=1e-5)


def test_a_weight_of_one_changes_no_bit(parts):
    assert torch.equal(chunked(parts, "red (hair:1.0)").text.hidden, chunked(parts, "red hair").text.hidden)
