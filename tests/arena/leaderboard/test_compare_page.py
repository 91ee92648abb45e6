"""The page "Is B better than A?": an answer in words first, then the command's own numbers."""

import json
import re
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from arena.leaderboard import answering
from arena.leaderboard.answering import lines, percent
from tests.arena.leaderboard.test_comparing import duels

pytestmark = pytest.mark.django_db


def text(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())).replace("\N{NO-BREAK SPACE}", " ")


def short(log, name: str) -> str:
    return log.contestants[name].checkpoint.sha256[:12]


def asked(log, client: Client, a: str, b: str, more: str = "") -> str:
    answer = client.get(f"/compare/?a={short(log, a)}&b={short(log, b)}{more}")
    assert answer.status_code == 200
    return text(answer)


def printed(*arguments: str) -> list[dict[str, object]]:
    out = StringIO()
    call_command("compare", *arguments, "--format", "json", stdout=out)
    return json.loads(out.getvalue())


def test_a_decided_comparison_says_so_first(client: Client, log) -> None:
    duels(log, "run:8", "run:12", a_wins=8, b_wins=60)
    assert "Yes: run epoch 12 is better than run epoch 8. You may stop asking." in asked(log, client, "run:8", "run:12")
    turned = asked(log, client, "run:12", "run:8")
    assert "No: run epoch 12 is better than run epoch 8. You may stop asking." in turned


def test_an_open_one_says_for_whom_the_votes_speak_and_how_many_are_missing(client: Client, log) -> None:
    duels(log, "run:1", "run:2", a_wins=8, b_wins=10)
    (row,) = printed("run epoch 1", "run epoch 2")
    page = asked(log, client, "run:1", "run:2")
    lead = f"run epoch 2: it is the better one with a probability of {round(100 * row['probability'])} %"
    assert "Not decided yet." in page
    assert lead in page
    assert f"about {row['more_votes']} more votes like those so far decide it" in page
    assert f"or {row['more_duels']} votes between just these two" in page
    turned = asked(log, client, "run:2", "run:1")
    assert lead in turned


def test_equals_are_said_to_be_equal(client: Client, log) -> None:
    duels(log, "run:1", "run:2", a_wins=8, b_wins=8)
    assert "no number of votes would be enough" in asked(log, client, "run:1", "run:2")


def test_the_numbers_are_those_of_the_command(client: Client, log) -> None:
    duels(log, "run:1", "run:2", a_wins=8, b_wins=24)
    (row,) = printed("run epoch 1", "run epoch 2")
    page = asked(log, client, "run:1", "run:2")
    assert f"Difference, B less A {row['difference']:.0f} Elo points" in page
    # 24 of 32 duels were won, and so are 75 of 100.
    assert "run epoch 2 would win about 75 of 100 duels" in page
    for name in ("", "always_"):
        assert f"{row[f'{name}low']:.0f} to {row[f'{name}high']:.0f}" in page
    assert "A won 16, B won 48, 0 draws" in page
    assert f"Made of {16 + 48} votes." in page


def test_several_against_a_reference_are_corrected_and_lead_to_the_next_question(client: Client, log) -> None:
    for epoch, wins in ((1, 6), (2, 60), (3, 9)):
        duels(log, "base", f"run:{epoch}", a_wins=6, b_wins=wins)
    log.contestant("run:4")
    rows = printed("--reference", "base epoch 0", "--run", "run")
    answer = client.get(f"/compare/?reference={short(log, 'base')}&run=run")
    page = text(answer)
    assert "Yes: run epoch 2 is better than base epoch 0. You may stop asking." in page
    assert [line.row for line in answer.context["lines"]] == rows
    best = rows[0]
    assert f"is ahead, by {best['difference']:.0f} Elo points" in page
    assert f"it is {best['corrected']:.0f} points ({best['corrected_low']:.0f} to {best['corrected_high']:.0f})" in page
    assert [line.verdict for line in answer.context["lines"]] == ["better", "open", "open"]
    assert "No vote compares these yet: run epoch 4." in page
    next_one = f'href="?a={short(log, "run:3")}&amp;b={short(log, "run:2")}"'
    assert next_one in answer.content.decode()


def test_none_better_is_open_and_all_worse_is_no(client: Client, log) -> None:
    for epoch in (1, 2):
        duels(log, "base", f"run:{epoch}", a_wins=60, b_wins=4)
        duels(log, "other", f"run:{epoch}", a_wins=6, b_wins=6)
    worse = text(client.get(f"/compare/?reference={short(log, 'base')}&run=run"))
    assert "No: base epoch 0 is better than all of them." in worse
    log.contestant("other")
    mixed = client.get(f"/compare/?reference={short(log, 'run:1')}&candidate={short(log, 'run:2')}")
    assert "Not decided yet: the votes prove none of them better than run epoch 1." in text(mixed)


@pytest.mark.parametrize(
    ("a_wins", "state", "said"),
    [(3, "separated", "one side won every time"), (0, "no-votes", "there are no votes on them")],
)
def test_what_the_votes_do_not_allow_is_said_without_a_number(client: Client, log, a_wins, state, said) -> None:
    log.contestant("run:1")
    log.contestant("run:2")
    duels(log, "run:1", "run:2", a_wins=a_wins, b_wins=0)
    answer = client.get(f"/compare/?a={short(log, 'run:1')}&b={short(log, 'run:2')}")
    assert answer.context["found"].state == state
    assert f"No answer yet: {said}." in text(answer)
    assert "Elo points " not in text(answer).split("Elo points are a scale")[0]


@pytest.mark.parametrize(("a_wins", "b_wins", "said"), [
    (7, 0, "No answer yet: one side won every time."),
    (8, 0, "No: run epoch 1 is better than run epoch 2."),
    (0, 8, "Yes: run epoch 2 is better than run epoch 1."),
])  # fmt: skip
def test_enough_duels_that_all_went_one_way_are_an_answer(client: Client, log, a_wins, b_wins, said) -> None:
    """16 in a row are 22.7 times as likely by the mixture as by a fair coin, 14 in a row 12.0 times."""
    duels(log, "run:1", "run:2", a_wins=a_wins, b_wins=b_wins)
    page = text(client.get(f"/compare/?a={short(log, 'run:1')}&b={short(log, 'run:2')}"))
    assert said in page
    assert f"A won {2 * a_wins}, B won {2 * b_wins}, 0 draws" in page


def test_strangers_and_draws_alone_are_said_too(client: Client, log) -> None:
    duels(log, "a", "b", 1, 1)
    duels(log, "x", "y", 1, 1)
    assert "they never met" in asked(log, client, "a", "x")
    for _ in range(3):
        log.vote("fixed", "p q", "1=2")
    assert "every vote is a draw" in asked(log, client, "p", "q", "&poll=fixed")


def test_poll_population_and_slice_choose_the_votes_and_stay_chosen(client: Client, log) -> None:
    duels(log, "run:1", "run:2", a_wins=2, b_wins=1, kind="fixed")
    duels(log, "run:1", "run:2", a_wins=1, b_wins=2)
    log.vote("duel", "run:1 run:2", "1", "simulated")
    page = asked(log, client, "run:1", "run:2", "&poll=fixed&slice=content_rating%3Dgeneral")
    assert "Made of 6 votes." in page
    assert "speak for run epoch 1" in page
    answer = client.get(f"/compare/?a={short(log, 'run:1')}&b={short(log, 'run:2')}&poll=fixed&population=simulated")
    assert "there are no votes on them" in text(answer)
    whole = answer.content.decode()
    assert '<option value="fixed" selected>' in whole
    assert '<option value="simulated" selected>' in whole


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("a=nobody&b=run+epoch+1", 404, "Candidates: run epoch 1 ("),
        ("a=run+epoch+1&b=run+epoch+2&poll=quartet", 404, "known: fixed, duel, ffa"),
        ("a=run+epoch+1&b=run+epoch+2&slice=mood%3Dbad", 404, "there is no slice"),
        ("a=run+epoch+1&b=run+epoch+2&population=cats", 404, "known: people, simulated"),
        ("reference=run+epoch+1&run=dream", 404, "there is no run &#x27;dream&#x27;; known: run"),
        ("a=run+epoch+1&b=run+epoch+1", 400, "cannot compare run epoch 1 with itself"),
        ("reference=run+epoch+1", 400, "name at least one candidate"),
    ],
)
def test_wrong_questions_name_what_is_known(client: Client, log, query: str, status: int, said: str) -> None:
    duels(log, "run:1", "run:2", 1, 1)
    answer = client.get(f"/compare/?{query}")
    assert answer.status_code == status
    assert said in answer.content.decode()


def test_the_page_is_a_form_before_anything_is_asked_and_boards_lead_to_it(client: Client, log) -> None:
    assert "It takes two checkpoints." in text(client.get("/compare/"))
    duels(log, "run:1", "run:2", 1, 1)
    assert client.get("/compare/").content.decode().count(f'value="{short(log, "run:1")}"') == 3
    board = client.get("/boards/trueskill/duel/").content.decode()
    assert 'href="/compare/?population=people&amp;poll=duel"' in board


def test_bars_share_an_axis_that_holds_zero_and_every_interval() -> None:
    row = {"difference": 50.0, "low": 20.0, "high": 80.0, "always_low": -10.0, "always_high": 110.0}
    other = {"difference": 150.0, "low": 140.0, "high": 160.0, "always_low": 110.0, "always_high": 190.0}
    one, two = (line.bar for line in lines([row, other]))
    # 92 % of the width for the 200 points from -10 to 190.
    assert (one.always_low, one.zero, one.dot) == (4.0, 8.6, 31.6)
    assert (two.always_high, two.low) == (96.0, 73.0)
    assert [line.verdict for line in lines([row, other])] == ["open", "better"]
    assert one.always_low > 0
    assert all(line.limited for line in lines([row, other]))


def test_an_interval_without_limit_does_not_hide_the_others() -> None:
    row = {"difference": 0.0, "low": -100.0, "high": 100.0, "always_low": -1e6, "always_high": 1e6}
    (line,) = lines([row])
    # The axis goes from -500 to 500: twice the 200 points at each side.
    assert (line.bar.low, line.bar.zero, line.bar.high) == (40.8, 50.0, 59.2)
    assert (line.bar.always_low, line.bar.always_high) == (0.0, 100.0)
    assert not line.limited


def test_the_page_names_no_limit_that_nobody_can_use(client: Client, log, monkeypatch: pytest.MonkeyPatch) -> None:
    duels(log, "run:1", "run:2", a_wins=8, b_wins=10)
    assert "no limit yet" not in asked(log, client, "run:1", "run:2")
    monkeypatch.setattr(answering, "LIMIT", 1.0)
    assert "95 % for every look no limit yet" in asked(log, client, "run:1", "run:2")


def test_probabilities_never_claim_certainty() -> None:
    shown = [percent(p).replace("\N{NO-BREAK SPACE}", " ") for p in (0.87, 0.9951, 0.99999, 0.00001, 0.5)]
    assert shown == ["87 %", "99.5 %", "> 99.9 %", "< 0.1 %", "50 %"]
