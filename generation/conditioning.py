"""Text and sizes into what the UNet is conditioned on, as SDXL does it (Podell et al. 2023, sections 2.1 and 2.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from generation.loading import Parts


@dataclass(frozen=True, slots=True)
class Tokens:
    """One text as one tokenizer sees it.

    Attributes:
        ids: begin token, text, end token, padding: exactly ``max_tokens`` of them.
        length: how many are real, begin and first end token included.
        cut: the pieces of the text that did not fit, in order; empty when all of it is used.
        cut_from: index of the first character that did not fit, or None.
    """

    ids: tuple[int, ...]
    length: int
    cut: tuple[str, ...]
    cut_from: int | None


@dataclass(frozen=True, slots=True)
class TextCondition:
    """What the UNet gets of B texts: ``hidden`` (B, L, D1+D2), ``pooled`` (B, P), ``mask`` (B, L; 1 = real token)."""

    hidden: torch.Tensor
    pooled: torch.Tensor
    mask: torch.Tensor


def tokenise(tokenizer: Any, text: str, max_tokens: int) -> Tokens:
    """Cut or pad one text to ``max_tokens`` ids, and say what was cut."""
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    room = max_tokens - 2
    kept, spans = encoded["input_ids"][:room], encoded["offset_mapping"][room:]
    ids = [tokenizer.bos_token_id, *kept, tokenizer.eos_token_id]
    length = ids.index(tokenizer.eos_token_id) + 1
    padded = ids + [tokenizer.pad_token_id] * (max_tokens - len(ids))
    cut = tuple(text[start:end] for start, end in spans)
    return Tokens(tuple(padded), length, cut, spans[0][0] if spans else None)


def encode_text(parts: Parts, texts: Sequence[str]) -> TextCondition:
    """Encode B texts with both text encoders; gradients flow, the caller decides about ``inference_mode``.

    ``hidden`` joins the penultimate hidden states of both encoders, ``pooled`` is the projected end token of the
    second. Texts longer than the encoders' positions are cut; `tokenise` tells where.
    """
    first, ids_1 = _ids(parts, parts.tokenizer, texts)
    second, ids_2 = _ids(parts, parts.tokenizer_2, texts)
    one = parts.text_encoder(ids_1, output_hidden_states=True)
    two = parts.text_encoder_2(ids_2, output_hidden_states=True)
    hidden = torch.cat([one.hidden_states[-2], two.hidden_states[-2]], dim=-1)  # (B, L, D1+D2)
    lengths = torch.tensor([max(a.length, b.length) for a, b in zip(first, second, strict=True)], device=parts.device)
    mask = torch.arange(parts.max_tokens, device=parts.device) < lengths[:, None]  # (B, L)
    return TextCondition(hidden, two.text_embeds, mask.to(hidden.dtype))


def time_ids(height: int, width: int, batch: int) -> torch.Tensor:
    """SDXL's size conditioning (B, 6) float32: original size, crop corner (0, 0), target size, heights first."""
    return torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32).expand(batch, -1).contiguous()


def _ids(parts: Parts, tokenizer: Any, texts: Sequence[str]) -> tuple[list[Tokens], torch.Tensor]:
    tokens = [tokenise(tokenizer, text, parts.max_tokens) for text in texts]
    return tokens, torch.tensor([item.ids for item in tokens], device=parts.device)  # (B, L)
