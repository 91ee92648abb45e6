"""An own byte-level BPE vocabulary in CLIP's format, trained on the data set's tags.

Every word of a tag becomes one token; any other text still splits into known pieces, down to single bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise

from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
WORDS = re.compile(r"[a-z]+|\d|[^\sa-z\d]+")  # how CLIP's tokenizer cuts lower-case ASCII text into words
Merge = tuple[str, str]


def count_words(tags: Iterable[str]) -> Counter[str]:
    """How often each word stands in ``tags`` (Danbooru's spelling, underscores for spaces)."""
    return Counter(word for tag in tags for word in WORDS.findall(tag.lower().replace("_", " ")))


def train_merges(words: Mapping[str, int]) -> list[Merge]:
    """Byte-pair encoding (Sennrich et al. 2016): join the most frequent pair until every word is one token.

    Ties fall to the alphabetically first pair, so equal words give equal merges.
    """
    pieces = {word: (*word[:-1], word[-1] + WORD_END) for word in words}
    merges: list[Merge] = []
    while True:
        pairs: Counter[Merge] = Counter()
        for word, split in pieces.items():
            for pair in pairwise(split):
                pairs[pair] += words[word]
        if not pairs:
            return merges
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        pieces = {word: _joined(split, best) for word, split in pieces.items()}


def _joined(split: tuple[str, ...], pair: Merge) -> tuple[str, ...]:
    joined: list[str] = []
    for piece in split:
        if joined and (joined[-1], piece) == pair:
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined)


def vocabulary(merges: list[Merge]) -> dict[str, int]:
    """Token to id: all bytes ("!" first, id 0), all bytes at a word's end, the merges, begin and end."""
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(letter + WORD_END for letter in letters), *(left + right for left, right in merges)]
    return {token: index for index, token in enumerate([*dict.fromkeys(tokens), BEGIN, END])}


def build_tokenizers(merges: list[Merge], positions: int) -> tuple[CLIPTokenizer, CLIPTokenizer]:
    """SDXL's pair over one vocabulary: the first pads with the end token, the second with "!" (id 0)."""
    first, second = (
        CLIPTokenizer(vocab=vocabulary(merges), merges=merges, pad_token=padding, model_max_length=positions)
        for padding in (END, "!")
    )
    return first, second
