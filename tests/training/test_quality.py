import dataclasses
import datetime
import tracemalloc
from collections import Counter

import numpy as np
import pytest

from generation.tags import QUALITIES
from training.posts import Post
from training.quality import QualityConfig, percentiles, quality_codes, rank_posts, with_quality
from training.rng import stream


def make_post(number, score, rating="g"):
    return Post(
        id=number,
        created_at=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
        score=score,
        fav_count=0,
        rating=rating,
        image_width=1,
        image_height=1,
        file_ext="png",
        md5="",
        file_path="",
        source="",
        general=(),
        character=(),
        copyright=(),
        artist=(),
        meta=(),
    )


@pytest.mark.parametrize(
    ("percentile", "word"),
    [
        (0, "worst quality"),
        (8, "worst quality"),
        (8.01, "bad quality"),
        (20, "bad quality"),
        (20.5, "average quality"),
        (60, "average quality"),
        (61, "good quality"),
        (82, "good quality"),
        (83, "best quality"),
        (92, "best quality"),
        (92.5, "masterpiece"),
        (100, "masterpiece"),
    ],
)
def test_table_3_edges(percentile, word):
    assert QUALITIES[int(quality_codes(percentile))] == word


def test_midranks_by_hand():
    # Of 1, 2, 2, 3: one below and half of two equal: (1 + 1) / 4.
    assert percentiles([1, 2, 2, 3]).tolist() == [12.5, 50.0, 50.0, 87.5]


def test_the_window_moves_and_clamps():
    # Windows of three around each: (1 2 3), (1 2 3), (2 3 4), (2 3 4).
    assert percentiles([1, 2, 3, 4], QualityConfig(window=3)) == pytest.approx([100 / 6, 50, 50, 500 / 6])


def test_a_drifting_score_keeps_its_shares_in_the_oldest_and_the_newest_tenth():
    rng = stream(0, "drift")
    posts = [make_post(number, int(rng.gauss(100 + number / 40, 20))) for number in range(1, 4001)]
    words = [post.quality for post in with_quality(posts, QualityConfig(window=400))]
    for tenth in (words[:400], words[-400:]):
        assert tenth.count("masterpiece") / 400 == pytest.approx(0.08, abs=0.05)


def test_posts_are_neighbours_in_time_whatever_their_ids():
    """Scores that grow from 1 to 100 in time, in a window of ten: no post stands out, though ids run backwards."""
    times, scores = np.arange(100), np.arange(1, 101)
    found = rank_posts(times, 1000 - times, scores, np.full(100, ord("g"), np.uint8), QualityConfig(window=10, hops=10))
    assert set(found[10:90].tolist()) == {2}, "each is in the middle of those around it"
    again = rank_posts(times[::-1], 1000 - times[::-1], scores[::-1], np.full(100, ord("g"), np.uint8),
                       QualityConfig(window=10, hops=10))  # fmt: skip
    assert again.tolist() == found[::-1].tolist(), "nor does the order in which they come matter"


def test_ratings_are_ranked_apart_and_order_is_kept():
    posts = [make_post(3, 100), make_post(1, 1, "s"), make_post(2, 1)]
    assert [(post.id, post.quality) for post in with_quality(posts)] == [
        (3, "good quality"),
        (1, "average quality"),
        (2, "average quality"),
    ]


def test_a_trailing_window_ends_with_the_post():
    # The first three share the first window (it is clamped); then (2 3 4).
    assert percentiles([1, 2, 3, 4], QualityConfig(window=3, align="trailing")) == pytest.approx(
        [100 / 6, 50, 500 / 6, 500 / 6]
    )


@pytest.mark.parametrize("align", ["centred", "trailing"])
@pytest.mark.parametrize(("window", "hops"), [(50, 50), (64, 8), (7, 7), (1000, 100)])
def test_the_moving_histogram_agrees_with_counting(align, window, hops):
    """A second way: for each post count its neighbours by hand."""
    scores = np.random.default_rng(5).integers(-3, 12, 500)
    config = QualityConfig(window=window, hops=hops, align=align)
    width, hop = min(window, 500), max(1, window // hops)
    for row, found in enumerate(percentiles(scores, config)):
        first = row // hop * hop
        block = min(hop, 500 - first)
        start = first + block // 2 - width // 2 if align == "centred" else first + block - width
        start = min(max(start, 0), 500 - width)
        near = scores[start : start + width]
        assert found == pytest.approx(100 * (np.sum(near < scores[row]) + np.sum(near == scores[row]) / 2) / width)


def drifting(count):
    """Scores that grow to 2.7 times over the years, of two content ratings with another level each."""
    rng = np.random.default_rng(7)
    times = np.sort(rng.integers(0, 10**15, count))
    ratings = rng.choice(np.frombuffer(b"gs", np.uint8), count)
    level = np.log(30) + np.arange(count) / count + 0.7 * (ratings == ord("s"))
    scores = np.exp(rng.normal(level, 1.0)).astype(np.int64)
    return times, np.arange(count), scores, ratings


def test_shares_and_drift_of_a_million_posts_and_memory():
    """Table 3's widths within half a point; masterpiece 8 +- 1 % in the oldest and the newest tenth; below 500 MB."""
    count = 1_000_000
    times, ids, scores, ratings = drifting(count)
    tracemalloc.start()
    codes = rank_posts(times, ids, scores, ratings, QualityConfig())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500e6
    for rating in b"gs":
        of_rating = codes[ratings == rating]
        shares = [100 * np.mean(of_rating == code) for code in range(6)]
        assert shares == pytest.approx([8, 12, 40, 22, 10, 8], abs=0.5)
        tenth = len(of_rating) // 10
        for part in (of_rating[:tenth], of_rating[-tenth:]):
            assert 100 * np.mean(part == 5) == pytest.approx(8, abs=1)
    # What a percentile over all times does with the same scores: the oldest get next to none, the newest twice theirs.
    everything = QualityConfig(window=count)
    codes = rank_posts(times, ids, scores, ratings, everything)
    assert np.mean(codes[: count // 10] == 5) < 0.03
    assert np.mean(codes[-count // 10 :] == 5) > 0.14


def test_posts_without_date_score_or_rating_have_no_quality():
    posts = [make_post(number, number) for number in range(1, 5)]
    changed = [
        dataclasses.replace(posts[0], created_at=None),
        dataclasses.replace(posts[1], score=None),
        dataclasses.replace(posts[2], rating=""),
        posts[3],
    ]
    assert [post.quality for post in with_quality(changed)] == ["", "", "", "average quality"]
    assert Counter(post.quality for post in with_quality(posts)).total() == 4


def test_favourites_may_be_ranked_instead():
    posts = [dataclasses.replace(make_post(number, 5), fav_count=number) for number in range(1, 101)]
    found = with_quality(posts, QualityConfig(metric="fav_count"))
    assert (found[0].quality, found[-1].quality) == ("worst quality", "masterpiece")
    assert {post.quality for post in with_quality(posts)} == {"average quality"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 0}, "at least 1"),
        ({"metric": "views"}, "one of score, fav_count"),
        ({"align": "left"}, "one of centred"),
    ],
)
def test_wrong_values_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        QualityConfig(**change)


def test_codes_of_the_edges():
    assert quality_codes([0, 50, 50.1, 99], (10, 20, 30, 40, 50)).tolist() == [0, 4, 5, 5]
    assert quality_codes([0, 8, 8.1, 20, 20.1, 60, 60.1, 82, 82.1, 92, 92.1, 100]).tolist() == [
        0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5,
    ]  # fmt: skip
