"""A CSV is read in pieces, plain ones without the csv module: what is read and which line is named stay the same."""

import json
from pathlib import Path

import pytest

from rating import votefile
from rating.errors import VoteFileError
from rating.votefile import read_votes

HEADER = "vote,created_at,poll,prompt,voter,seats,outcome,note\n"
LINES = [f"{at},2026-01-0{at}T00:00:00Z,duel,p,v{at % 2},a|b,{1 + at % 2},n{at}\n" for at in range(1, 8)]


@pytest.fixture(params=[1, 2, 3, 100])
def piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(votefile, "CHUNK", request.param)


def read(folder: Path, lines: list[str]) -> votefile.Votes:
    (folder / "votes.csv").write_text(HEADER + "".join(lines), newline="")
    return read_votes(folder / "votes.csv")


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize("quoted", range(7))
def test_a_quote_anywhere_changes_nothing(tmp_path: Path, quoted: int) -> None:
    lines = LINES.copy()
    lines[quoted] = lines[quoted].replace(f"n{quoted + 1}", f'"n{quoted + 1}, ""x""\ny"')
    votes, plain = read(tmp_path, lines), read(tmp_path, LINES)
    assert list(votes.ids) == list(plain.ids)
    assert votes.ranks.tolist() == plain.ranks.tolist()
    assert votes.times.tolist() == plain.times.tolist()
    expected = plain.extra["note"].copy()
    expected[quoted] += ', "x"\ny'
    assert votes.extra["note"] == expected


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("a,b\n", "line 6: 2 values for 8 columns"),
        ("\n \n5,2026-01-05T00:00:00Z,duel,p,v,a|b,3,n\n", "line 8: outcome '3': there is no seat 3"),
        ('5,2026-01-05T00:00:00Z,duel,p,v,a|b,1,"n\n', "line 6: unexpected end of data; is a quote not closed"),
        ("5,2026-01-05T00:00:00Z,duel,p,v,a|b,1\n", "line 6: 7 values for 8 columns"),
        ("5,2026-01-05T00:00:00Z,duel,p,v,a|b,3,n\n", "line 6: outcome '3': there is no seat 3"),
    ],
)
def test_the_line_is_named(tmp_path: Path, wrong: str, complaint: str) -> None:
    with pytest.raises(VoteFileError, match=complaint):
        read(tmp_path, [*LINES[:4], wrong, *LINES[5:]])


@pytest.mark.usefixtures("piece")
def test_a_line_too_long_and_one_too_short_do_not_make_up_for_each_other(tmp_path: Path) -> None:
    long, short = LINES[2].replace("\n", ",more\n"), LINES[3].replace(",n4", "")
    with pytest.raises(VoteFileError, match="line 4: 9 values for 8 columns"):
        read(tmp_path, [*LINES[:2], long, short, *LINES[4:]])


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize("blank", range(8))
def test_blank_lines_are_skipped(tmp_path: Path, blank: int) -> None:
    votes = read(tmp_path, [*LINES[:blank], "\n", "\n", *LINES[blank:], "\n"])
    assert list(votes.ids) == [str(at) for at in range(1, 8)]


@pytest.mark.usefixtures("piece")
def test_lines_are_counted_over_blank_ones_between_jsonl_votes(tmp_path: Path) -> None:
    names = HEADER.strip().split(",")
    objects = [json.dumps(dict(zip(names, line.strip().split(","), strict=True))) for line in LINES]
    path = tmp_path / "votes.jsonl"
    path.write_text("\n" + "\n\n".join(objects) + "\n \n\n")
    assert list(read_votes(path).ids) == [str(at) for at in range(1, 8)]
    path.write_text("\n" + "\n\n".join([*objects, objects[0]]))
    with pytest.raises(VoteFileError, match="line 16: vote '1' occurs a second time"):
        read_votes(path)


@pytest.mark.usefixtures("piece")
def test_a_key_may_appear_late_or_stay_away(tmp_path: Path) -> None:
    names = HEADER.strip().split(",")
    objects = [dict(zip(names, line.strip().split(","), strict=True)) for line in LINES]
    for at, found in enumerate(objects):
        found |= {"late": str(at)} if at in (3, 5) else {}
        if at % 2:
            del found["note"]
    path = tmp_path / "votes.jsonl"
    path.write_text("".join(json.dumps(found) + "\n" for found in objects))
    extra = read_votes(path).extra
    assert extra == {"note": ["n1", "", "n3", "", "n5", "", "n7"], "late": ["", "", "", "3", "", "5", ""]}


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize("change", [lambda text: text.replace("\n", "\r\n"), lambda text: text.removesuffix("\n")])
def test_line_ends(tmp_path: Path, change) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(change(HEADER + "".join(LINES)), newline="")
    assert list(read_votes(path).ids) == [str(at) for at in range(1, 8)]
