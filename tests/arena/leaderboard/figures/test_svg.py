"""Scales, text that fits, and pictures whose parts stay inside and apart."""

import math
import re
from xml.etree import ElementTree

import pytest
from PIL import ImageFont

from arena.leaderboard.figures import epochs, intervals, lines, scatter, wins
from arena.leaderboard.figures.png import png
from arena.leaderboard.figures.svg import (
    NARROW,
    WIDE,
    Canvas,
    message,
    round_step,
    scale,
    shortened,
    spelled,
    text_width,
    wrapped,
)

SVG = "{http://www.w3.org/2000/svg}"
LONG = "illustrious-xl-continued-with-natural-language-captions-v2.0 epoch 12"
MANY = [1, 2, 3, 30, 200]


def boxes(canvas: Canvas) -> list[tuple[float, float, float, float, str]]:
    """Where each text is at most: left, top, right, bottom."""
    found = []
    for text in ElementTree.fromstring(canvas.svg("t", "d", "n")).iter(f"{SVG}text"):
        said = "".join(text.itertext()) if text.find(f"{SVG}title") is None else text.find(f"{SVG}title").tail or ""
        x, y, size = float(text.get("x")), float(text.get("y")), float(text.get("font-size"))
        wide = text_width(said, size)
        left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[text.get("text-anchor")]
        found.append((left, y - 0.8 * size, left + wide, y + 0.2 * size, said))
    return found


def collisions(canvas: Canvas) -> list[str]:
    """Texts that leave the picture or run into another."""
    found, bad = boxes(canvas), []
    for at, one in enumerate(found):
        if one[0] < -0.5 or one[2] > canvas.width + 0.5 or one[1] < -0.5 or one[3] > canvas.height + 0.5:
            bad.append(f"outside: {one[4]}")
        for other in found[:at]:
            if (
                min(one[2], other[2]) - max(one[0], other[0]) > 0.5
                and min(one[3], other[3]) - max(one[1], other[1]) > 1
            ):
                bad.append(f"{one[4]} over {other[4]}")
    return bad


@pytest.mark.parametrize(
    ("least", "expected"), [(0.7, 1), (1.0, 1), (1.2, 2), (3, 5), (7, 10), (0.03, 0.05), (120, 200)]
)
def test_steps_are_round(least: float, expected: float) -> None:
    assert round_step(least) == pytest.approx(expected)


def test_a_scale_holds_its_numbers_between_ticks() -> None:
    found = scale([1487.0, 1634.0], 0.0, 300.0)
    assert (found.least, found.most) == (1450.0, 1650.0)
    assert found.ticks == (1450.0, 1500.0, 1550.0, 1600.0, 1650.0)
    assert found(1500.0) == 75.0
    assert found(9999.0) == 300.0, "clipped"
    assert found.spell(1500.0) == "1\N{NARROW NO-BREAK SPACE}500"


def test_one_number_alone_has_room_around_it() -> None:
    found = scale([3.0, 3.0], 0.0, 100.0)
    assert found.least < 3.0 < found.most


def test_small_steps_have_their_digits() -> None:
    assert scale([0.1, 0.4], 0, 600).spell(0.15) == "0.15"
    assert spelled(-0.04, 1) == "0.0", "no negative zero"
    assert spelled(-1.5, 1) == "\N{MINUS SIGN}1.5"


@pytest.mark.parametrize("text", ["watercolour epoch 12", "WWW MMM @@", "iii lll", "1234567890 − ± % ()", "ÄÖÜ éèê ñ"])
def test_no_text_is_wider_than_it_is_taken_for(text: str) -> None:
    """Against a real font, measured glyph by glyph; DejaVu Sans is checked in the browser."""
    font = ImageFont.load_default(20)
    assert font.getlength(text) <= text_width(text, 20)


def test_long_names_keep_beginning_and_end() -> None:
    found = shortened(LONG, 160)
    assert text_width(found) <= 160
    assert found.startswith("illust")
    assert found.endswith("12")
    assert shortened("short", 160) == "short"
    assert text_width(shortened("水彩画風アニメ学習の試行" * 3, 160)) <= 160


def test_lines_break_between_words_and_between_ideographs() -> None:
    found = wrapped("one two three four", 70)
    assert "".join(found).replace(" ", "") == "onetwothreefour"
    assert len(found) > 1
    assert len(wrapped("水彩画風アニメ学習の試行", 70)) > 1
    assert wrapped("", 70) == []


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("n", MANY)
def test_nothing_overlaps_among_intervals(n: int, width: float) -> None:
    rows = [
        intervals.Interval(
            f"{LONG} {at}", 1500.0 - at, 1490.0 - at, 1512.0 - at, 1505.0 - at, str(1500 - at), hollow=at % 7 == 0
        )
        for at in range(n)
    ]
    rows.append(intervals.Interval("late", instead="no votes yet"))
    assert collisions(intervals.draw(rows, "Elo with its 95 % interval", width=width)) == []


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_guides_are_named_apart(width: float) -> None:
    guides = [intervals.Guide(0.1, "references"), intervals.Guide(0.11, "other characters")]
    canvas = intervals.draw([intervals.Interval("a", 0.2, 0.1, 0.3, spelled="0.2")], "x", width=width, guides=guides)
    assert collisions(canvas) == []
    assert {"references", "other characters"} <= {box[4] for box in boxes(canvas)}


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("n", [1, 2, 12, 25, 40])
def test_nothing_overlaps_in_a_win_matrix(n: int, width: float) -> None:
    meetings = [[wins.Meeting(at, 1, other) for other in range(n)] for at in range(n)]
    canvas = wins.draw(
        [f"{LONG} {at}" for at in range(n)], meetings, [], ("row wins more", "row loses more"), width=width
    )
    assert collisions(canvas) == []


def test_a_meeting_counts_a_draw_as_half() -> None:
    assert wins.Meeting(3, 2, 3).share == 0.5
    assert wins.Meeting(1, 0, 3).share == 0.25
    assert wins.Meeting(0, 0, 0).share is None


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("n", MANY)
def test_nothing_overlaps_among_lines(n: int, width: float) -> None:
    series = [lines.Series(f"{LONG} {at}", [(1.0, 1500.0), (1e6, 1500.0 + at % 3)], at < 8) for at in range(n)]
    assert collisions(lines.draw(series, "counted votes", width=width)) == []


def test_names_move_apart_as_little_as_needed() -> None:
    assert lines.spread([50.0, 52.0, 100.0], 16.0, 0.0, 200.0) == [50.0, 66.0, 100.0]
    assert lines.spread([199.0, 198.0], 16.0, 0.0, 200.0) == [200.0, 184.0]


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("n", [2, 3, 30, 200])
def test_nothing_overlaps_among_epochs(n: int, width: float) -> None:
    found = [
        epochs.Epoch(at, str(at) if at else "start", at * 3.0, at * 3.0 - 20, at * 3.0 + 20, "better", "said")
        for at in range(n)
    ]
    found[0] = epochs.Epoch(0, "start", 0.0, 0.0, 0.0, "", "said")
    canvas = epochs.draw(found, "epoch", "Elo points gained since the start", width=width)
    signs = set(epochs.SIGNS.values())
    assert [one for one in collisions(canvas) if not signs & set(one)] == []


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("n", [2, 30, 200])
def test_names_in_a_scatter_stay_apart(n: int, width: float) -> None:
    points = [scatter.Point(f"{LONG} {at}", math.sin(at), math.cos(at * 1.7)) for at in range(n)]
    assert (
        collisions(scatter.draw(points, "CCIP difference (less is better)", "strength", width=width, falling=True))
        == []
    )


def test_less_is_better_runs_from_right_to_left() -> None:
    points = [scatter.Point("good", 0.1, 1.0), scatter.Point("bad", 0.4, 0.0)]
    found = ElementTree.fromstring(scatter.draw(points, "x", "y", width=WIDE, falling=True).svg("t", "d", "n"))
    good, bad = (float(dot.get("cx")) for dot in found.iter(f"{SVG}circle"))
    assert good > bad


def test_a_picture_is_accessible_and_escapes_names() -> None:
    canvas = Canvas(100, 50)
    canvas.text(1, 20, "<script>&", full="<b>")
    found = ElementTree.fromstring(canvas.svg("A & B", "says <this>", "n"))
    assert found.get("role") == "img"
    assert found.get("aria-labelledby") == "n-title n-desc"
    assert [found.find(f"{SVG}title").text, found.find(f"{SVG}desc").text] == ["A & B", "says <this>"]
    assert "<script>" not in canvas.svg("t", "d", "n")
    assert not re.search(r"<style|\sstyle=", canvas.svg("t", "d", "n")), "the site's policy refuses inline styles"


def test_the_reason_for_no_picture_is_a_picture() -> None:
    assert collisions(message("No votes yet: the first one opens this figure. " * 3, NARROW)) == []


@pytest.mark.parametrize("system_fonts", [True, False])
def test_png_has_text_also_on_a_machine_without_fonts(system_fonts: bool) -> None:
    canvas = Canvas(120, 40)
    blank = png(canvas.svg("t", "d", "n"), 40, system_fonts=system_fonts)
    canvas.text(10, 25, "epoch 12")
    content = png(canvas.svg("t", "d", "n"), 40, system_fonts=system_fonts)
    assert content.startswith(b"\x89PNG")
    assert len(content) > len(blank) + 200
