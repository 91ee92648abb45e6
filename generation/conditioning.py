"""Text and sizes into what the UNet is conditioned on.

As SDXL does it (Podell et al. 2023, sections 2.1 and 2.2); a family with one text encoder leaves out what it has not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from generation.checkpoint import CheckpointInfo
from generation.loading import Parts
from generation.recipe import Recipe
from generation.tokens import Chunk, Tokens, empty_chunk, tokenise

Texts = tuple[Tokens, ...]
"""One text as each of the checkpoint's tokenizers sees it."""


@dataclass(frozen=True, slots=True)
class TextCondition:
    """What the UNet gets of B texts: ``hidden`` (B, L, D), ``pooled`` (B, P), ``mask`` (B, L; 1 = real token).

    D is the text encoders' widths together; P is 0 for a family without pooled text.
    """

    hidden: torch.Tensor
    pooled: torch.Tensor
    mask: torch.Tensor


@dataclass(frozen=True, slots=True)
class View:
    """Rows of a batch that see the same number of positions; ``rows`` (R,) indices, or None for all rows."""

    length: int
    rows: torch.Tensor | None


@dataclass(frozen=True, slots=True)
class Condition:
    """What guided denoising of B images gets: 2B rows, the negative prompts first.

    Attributes:
        text: hidden (2B, L, D), pooled (2B, P), mask (2B, L).
        views: each row is in exactly one of them; the UNet runs once a view, on all rows, so that a row's result
            depends on its own length and never on those of its neighbours.
        masked: whether the mask is applied; otherwise padding is seen like text.
    """

    text: TextCondition
    views: tuple[View, ...]
    masked: bool


def padding_of(recipe: Recipe, info: CheckpointInfo) -> str:
    """The policy in force: ``as_trained`` resolved by what the checkpoint says of itself."""
    if recipe.padding != "as_trained":
        return recipe.padding
    return "masked" if info.pad_mask else "full77"


def read_text(parts: Parts, recipe: Recipe, text: str) -> Texts:
    """One text as the tokenizers see it under the recipe's rules."""
    return tuple(
        tokenise(tokenizer, text, parts.max_tokens, syntax=recipe.prompt_syntax, long_prompts=recipe.long_prompts)
        for tokenizer, _ in parts.encoders
    )


def condition(parts: Parts, recipe: Recipe, prompts: Sequence[str]) -> Condition:
    """Encode B prompts and the recipe's negative prompt under its padding, weight and length policies.

    Both sides of an image get equally many chunks. The text encoders always see 2B rows of one chunk each, whatever
    the prompts are, so an image's bits do not depend on its neighbours' lengths.
    """
    texts = [recipe.negative_prompt] * len(prompts) + list(prompts)
    known = {text: read_text(parts, recipe, text) for text in texts}
    read = [known[text] for text in texts]
    counts = _chunk_counts(read)
    encoded = _encode(parts, read, max(counts))
    hidden, pooled, mask = encoded.hidden, encoded.pooled, encoded.mask
    if recipe.empty_negative == "zero" and not recipe.negative_prompt.strip():
        keep = torch.arange(len(texts), device=parts.device) >= len(prompts)
        hidden, pooled = hidden * keep[:, None, None], pooled * keep[:, None]
    policy = padding_of(recipe, parts.info)
    if policy == "minimal":
        hidden, mask = _compact(hidden, mask)
        lengths = [int(count) for count in mask.sum(dim=1).tolist()]
    else:
        lengths = [count * parts.max_tokens for count in counts]
    return Condition(TextCondition(hidden, pooled, mask), _views(lengths, parts.device), policy == "masked")


def encode_text(parts: Parts, texts: Sequence[str], chunks: int = 1) -> TextCondition:
    """Encode B texts in ``chunks`` chunks each, as training does; gradients flow, the caller decides about
    ``inference_mode``.

    ``hidden`` joins the hidden states of the encoders, ``pooled`` is the first chunk's projected end token of the last.
    A text that is shorter is filled up with empty chunks, which count as padding; a longer one is cut, and `tokenise`
    tells where.
    """
    plain = Recipe(long_prompts="chunks") if chunks > 1 else Recipe()
    return _encode(parts, [read_text(parts, plain, text) for text in texts], chunks)


def time_ids(height: int, width: int, batch: int) -> torch.Tensor:
    """SDXL's size conditioning (B, 6) float32: original size, crop corner (0, 0), target size, heights first."""
    return torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32).expand(batch, -1).contiguous()


def _chunk_counts(texts: Sequence[Texts]) -> list[int]:
    """Chunks of each of the 2B rows; both sides of an image, and all encoders, get as many as the longest."""
    own = [max(len(tokens.chunks) for tokens in text) for text in texts]
    half = len(own) // 2
    return [max(a, b) for a, b in zip(own[:half], own[half:], strict=True)] * 2


def _encode(parts: Parts, texts: Sequence[Texts], count: int) -> TextCondition:
    """The texts' first ``count`` chunks, each encoded on its own, joined along the positions."""
    encoded = [_encode_nth(parts, texts, number) for number in range(count)]
    hidden, mask = (torch.cat([getattr(part, name) for part in encoded], dim=1) for name in ("hidden", "mask"))
    return TextCondition(hidden, encoded[0].pooled, mask)


def _encode_nth(parts: Parts, texts: Sequence[Texts], number: int) -> TextCondition:
    """Every text's chunk of this number, an empty one where it has fewer."""
    hidden, lengths, pooled = list[torch.Tensor](), list[list[int]](), torch.empty(len(texts), 0, device=parts.device)
    for place, (tokenizer, encoder) in enumerate(parts.encoders):
        chunks = [_nth(tokenizer, text[place], number, parts.max_tokens) for text in texts]
        output = encoder(_ids(chunks, parts.device), output_hidden_states=True)
        states = output.hidden_states[-2] if parts.family.penultimate else output.last_hidden_state
        hidden.append(_weighted(states, chunks))
        lengths.append([chunk.length for chunk in chunks])
        pooled = output.text_embeds if parts.family.pooled and encoder is parts.encoders[-1][1] else pooled
    # A chunk that only fills up is padding as a whole, and real where the text has it (an empty text has one).
    real = [max(len(tokens.chunks) for tokens in text) > number for text in texts]
    longest = [max(own) * is_real for *own, is_real in zip(*lengths, real, strict=True)]
    mask = torch.arange(parts.max_tokens, device=parts.device) < torch.tensor(longest, device=parts.device)[:, None]
    return TextCondition(torch.cat(hidden, dim=-1), pooled, mask.to(hidden[0].dtype))


def _nth(tokenizer: object, tokens: Tokens, number: int, max_tokens: int) -> Chunk:
    return tokens.chunks[number] if number < len(tokens.chunks) else empty_chunk(tokenizer, max_tokens)


def _ids(chunks: Sequence[Chunk], device: torch.device) -> torch.Tensor:
    return torch.tensor([chunk.ids for chunk in chunks], device=device)  # (B, L)


def _weighted(hidden: torch.Tensor, chunks: Sequence[Chunk]) -> torch.Tensor:
    """Tokens times their weights, each chunk scaled back to the mean it had, as AUTOMATIC1111 does for one image.

    Rows whose weights are all 1 keep their bits.
    """
    weights = torch.tensor([chunk.weights for chunk in chunks], dtype=hidden.dtype, device=hidden.device)  # (B, L)
    changed = (weights != 1).any(dim=1)
    if not bool(changed.any()):
        return hidden
    scaled = hidden * weights[:, :, None]
    scaled = scaled * (hidden.mean(dim=(1, 2), keepdim=True) / scaled.mean(dim=(1, 2), keepdim=True))
    return torch.where(changed[:, None, None], scaled, hidden)


def _compact(hidden: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Move the real tokens of each row to its front, in order."""
    order = torch.argsort(mask, dim=1, descending=True, stable=True)  # (B, L)
    return hidden.gather(1, order[:, :, None].expand_as(hidden)), mask.gather(1, order)


def _views(lengths: Sequence[int], device: torch.device) -> tuple[View, ...]:
    if len(set(lengths)) == 1:
        return (View(lengths[0], None),)
    rows = {length: [i for i, own in enumerate(lengths) if own == length] for length in sorted(set(lengths))}
    return tuple(View(length, torch.tensor(indices, device=device)) for length, indices in rows.items())
