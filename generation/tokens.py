"""A prompt as the text encoders read it: chunks of a fixed number of positions, each token with its weight.

Terms and rules stand in docs/prompts.md. No torch is imported here; a tokenizer is anything with transformers'
interface of a fast CLIP tokenizer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from generation.emphasis import Piece, literal, parse

# How far AUTOMATIC1111 looks back for a comma, so that a tag is not split between two chunks.
BACKTRACK = 20


@dataclass(frozen=True, slots=True)
class Chunk:
    """Begin token, text, end token, padding.

    Attributes:
        ids: exactly as many as the text encoder has positions.
        weights: one a position, 1 for begin, end and padding.
        length: how many are real, begin and first end token included.
    """

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    length: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """One text as one tokenizer sees it.

    Attributes:
        chunks: at least one.
        cut: the pieces of the text that did not fit, in order; empty when all of it is used.
        cut_from: index of the first character that did not fit, or None.
    """

    chunks: tuple[Chunk, ...]
    cut: tuple[str, ...]
    cut_from: int | None

    @property
    def ids(self) -> tuple[int, ...]:
        """Ids of the first chunk, padding included."""
        return self.chunks[0].ids

    @property
    def length(self) -> int:
        """Real tokens of the first chunk."""
        return self.chunks[0].length


@dataclass(frozen=True, slots=True)
class _Token:
    id: int
    weight: float
    text: str
    start: int
    breaks: bool


def tokenise(
    tokenizer: Any, text: str, max_tokens: int, *, syntax: str = "literal", long_prompts: str = "cut"
) -> Tokens:
    """Cut or spread one text over chunks of ``max_tokens`` ids, and say what was cut.

    Args:
        syntax: ``literal`` or ``a1111``, see `generation.emphasis`.
        long_prompts: ``cut`` keeps the first chunk's worth, ``chunks`` keeps everything.
    """
    pieces = parse(text) if syntax == "a1111" else literal(text)
    tokens = [token for piece in pieces for token in _tokens(tokenizer, piece)]
    room = max_tokens - 2
    if long_prompts == "cut":
        kept, dropped = [tokens[:room]], tokens[room:]
    else:
        kept, dropped = _spread(tokens, room, tokenizer.get_vocab().get(",</w>")), []
    chunks = tuple(_chunk(tokenizer, part, max_tokens) for part in kept)
    return Tokens(chunks, tuple(token.text for token in dropped), dropped[0].start if dropped else None)


def empty_chunk(tokenizer: Any, max_tokens: int) -> Chunk:
    """What stands where one text has fewer chunks than its neighbour."""
    return _chunk(tokenizer, [], max_tokens)


def _tokens(tokenizer: Any, piece: Piece) -> Iterable[_Token]:
    encoded = tokenizer(piece.text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    first = True
    for number, (start, end) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True):
        at = piece.offsets[start] if start < len(piece.offsets) else 0
        yield _Token(number, piece.weight, piece.text[start:end], at, piece.breaks and first)
        first = False


def _spread(tokens: Sequence[_Token], room: int, comma: int | None) -> list[list[_Token]]:
    chunks: list[list[_Token]] = [[]]
    for token in tokens:
        if token.breaks:
            chunks.append([])
        if len(chunks[-1]) == room:
            moved = [] if token.id == comma else _after_last_comma(chunks[-1], comma)
            del chunks[-1][room - len(moved) :]
            chunks.append(moved)
        chunks[-1].append(token)
    return chunks


def _after_last_comma(chunk: Sequence[_Token], comma: int | None) -> list[_Token]:
    """What follows the last comma, when that is less than `BACKTRACK` tokens; nothing otherwise."""
    for back in range(1, min(BACKTRACK, len(chunk)) + 1):
        if chunk[-back].id == comma:
            return list(chunk[len(chunk) - back + 1 :])
    return []


def _chunk(tokenizer: Any, tokens: Sequence[_Token], max_tokens: int) -> Chunk:
    ids = [tokenizer.bos_token_id, *(token.id for token in tokens), tokenizer.eos_token_id]
    length = ids.index(tokenizer.eos_token_id) + 1
    padded = ids + [tokenizer.pad_token_id] * (max_tokens - len(ids))
    weights = [1.0, *(token.weight for token in tokens), *[1.0] * (max_tokens - 1 - len(tokens))]
    return Chunk(tuple(padded), tuple(weights), length)
