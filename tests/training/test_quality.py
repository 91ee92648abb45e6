import datetime

import pytest

from training.posts import Post
from training.quality import percentiles, quality_word, with_quality
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
    assert quality_word(percentile) == word


def test_midranks_by_hand():
    # Of 1, 2, 2, 3: one below and half of two equal: (1 + 1) / 4.
    assert percentiles([1, 2, 2, 3]) == [12.5, 50.0, 50.0, 87.5]


def test_the_window_moves_and_clamps():
    # Windows of three around each: (1 2 3), (1 2 3), (2 3 4), (2 3 4).
    assert percentiles([1, 2, 3, 4], window=3) == pytest.approx([100 / 6, 50, 50, 500 / 6])


def test_a_drifting_score_keeps_its_shares_in_the_oldest_and_the_newest_tenth():
    rng = stream(0, "drift")
    posts = [make_post(number, int(rng.gauss(100 + number / 40, 20))) for number in range(1, 4001)]
    words = [post.quality for post in with_quality(posts, window=400)]
    for tenth in (words[:400], words[-400:]):
        assert tenth.count("masterpiece") / 400 == pytest.approx(0.08, abs=0.05)


def test_ratings_are_ranked_apart_and_order_is_kept():
    posts = [make_post(3, 100), make_post(1, 1, "s"), make_post(2, 1)]
    assert [(post.id, post.quality) for post in with_quality(posts)] == [
        (3, "good quality"),
        (1, "average quality"),
        (2, "average quality"),
    ]
