"""Names of votes are kept as bytes and come back as they were."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rating.ids import IdCollector, Ids


def kept(pieces: list[list[str]]) -> Ids:
    collector = IdCollector()
    for piece in pieces:
        collector.add(piece)
    return collector.ids()


texts = st.lists(st.text(st.characters(exclude_categories=["Cs"])))


@given(st.lists(texts))
def test_texts_come_back_in_their_order(pieces: list[list[str]]) -> None:
    ids, expected = kept(pieces), [text for piece in pieces for text in piece]
    assert list(ids) == expected
    assert list(ids[1:]) == expected[1:]
    assert list(ids.take(np.arange(len(expected))[::-1])) == expected[::-1]


@given(texts)
def test_doubt_is_raised_exactly_where_a_text_is_empty_or_twice(found: list[str]) -> None:
    collector = IdCollector()
    collector.add(found)
    assert collector.may_repeat() == ("" in found or len(set(found)) < len(found))
