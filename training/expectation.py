"""How many tags a caption keeps on average, by arithmetic; the report holds it against captions that were made."""

from training.caption_config import CaptionConfig


def expected_kept(tags: int, names: int, protected: int, config: CaptionConfig) -> float:
    """Mean number of tags in a caption that is neither emptied nor a text alone.

    Of ``tags``, ``names`` are character and artist names and ``protected`` no-dropout tokens, none of them both. For
    ``name_scope`` "caption": with probability q = ``name_protection`` the names join the protected ones, so the mean is
    q E(f + names) + (1 - q) E(f), f the protected ones and E the mean over the levels and the rest.
    """
    q = config.name_protection
    if config.name_scope == "caption":
        shares = {names: q, 0: 1 - q} if names else {0: 1.0}
    else:
        shares = {0: 1.0}
        for _ in range(names):
            shares = {
                count: shares.get(count, 0.0) * (1 - q) + shares.get(count - 1, 0.0) * q
                for count in range(len(shares) + 1)
            }
    return sum(share * _with_fixed(tags, protected + safe, config) for safe, share in shares.items())


def _with_fixed(tags: int, fixed: int, config: CaptionConfig) -> float:
    droppable = tags - fixed
    rest = 1 - sum(level.rate for level in config.levels)
    levels = sum(level.rate * level.kept(droppable, config.rounding) for level in config.levels)
    return fixed + levels + rest * droppable * (1 - config.tag_dropout)
