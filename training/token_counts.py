"""How many tokens a caption has, and how many the text encoders read. No torch.

A checkpoint's own tokenizer counts exactly. Without one, words are counted as CLIP's tokenizer cuts text before it
splits words further: at least so many tokens it will be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE

from training.errors import UserError

SDXL_READS = 75  # of CLIP's 77 positions, begin and end take two
# What CLIP's tokenizer (Radford et al. 2021, arXiv:2103.00020) takes for a word, a digit, or a run of signs.
PIECES = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_WORDS = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:[^\w\s]|_)+")


@dataclass(frozen=True)
class TokenCounter:
    """``count`` of a text, begin and end aside; ``reads`` of them reach the encoders; ``name`` says who counts."""

    name: str
    reads: int
    count: Callable[[str], int]
    exact: bool = True


WORDS = TokenCounter("words", SDXL_READS, lambda text: len(_WORDS.findall(text.lower())), exact=False)


def of_checkpoint(folder: Path) -> TokenCounter:
    """The tokenizer in a checkpoint's folder ``tokenizer``: ``tokenizer.json``, or ``vocab.json`` with ``merges.txt``.

    Raises:
        UserError: there is none.
    """
    try:
        whole = folder / "tokenizer.json"
        tokenizer = Tokenizer.from_file(str(whole)) if whole.is_file() else _from_parts(folder)
        positions = int(json.loads((folder / "tokenizer_config.json").read_text("utf-8"))["model_max_length"])
    except Exception as error:  # the library raises plain Exceptions for a missing or broken file
        raise UserError(
            f"{folder} holds no tokenizer ({error}): name the folder `tokenizer` of a checkpoint"
        ) from error
    return TokenCounter(str(folder), positions - 2, lambda text: len(tokenizer.encode(text, add_special_tokens=False)))


def _from_parts(folder: Path) -> Tokenizer:
    """CLIP's tokenizer from the two files that SDXL is published with."""
    vocabulary, merges = BPE.read_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer = Tokenizer(BPE(vocabulary, merges, end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(PIECES), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return tokenizer
