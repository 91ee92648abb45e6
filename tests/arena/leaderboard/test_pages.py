"""The boards' pages, the part that refreshes itself, and the admin."""

import re

import pytest
from django.test import Client

from arena.gallery.models import Character
from arena.leaderboard.models import RatingRun
from arena.leaderboard.table import board
from arena.votes.models import Voter


def text(answer) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def test_boards_lead_to_trueskill_over_all_polls(client: Client) -> None:
    answer = client.get("/boards/")
    assert (answer.status_code, answer["Location"]) == (302, "/boards/trueskill/")


@pytest.mark.parametrize(
    "path",
    [
        "/boards/trueskill/",
        "/boards/elo/",
        "/boards/elo/ffa/",
        "/boards/elo-twa/",
        "/boards/joint/",
        "/boards/winrate/",
    ],
)
def test_every_board_opens_before_the_first_vote(client: Client, log, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "No votes yet" in text(answer)


def test_the_page_shows_the_rows_of_the_table(client: Client, log) -> None:
    log.contestant("late:3")
    for number in range(60):
        log.vote("duel", "run:1 run:2", "1" if number % 12 == 0 else "2", voter=Voter.objects.create())
    page = text(client.get("/boards/trueskill/duel/"))
    for row in board("trueskill", "duel").rows:
        assert row.contestant in page
        assert f'href="/checkpoints/{row.checkpoint}/"' in page
    assert "no votes yet" in page
    assert f">{board('trueskill', 'duel').rows[0].value:.1f}<" in page
    assert "on epoch 1" in page
    assert 'aria-label="better"' in page


def test_elo_pages_show_the_average(client: Client, log) -> None:
    for outcome in "112":
        log.vote("duel", "a b", outcome)
    average = board("elo").rows[0].average
    for path in ("/boards/elo/", "/boards/elo-twa/"):
        page = text(client.get(path))
        assert "Average</abbr>" in page
        assert f">{average:.0f}<" in page
    assert "Average</abbr>" not in text(client.get("/boards/trueskill/"))


def test_a_vote_is_on_the_next_page(client: Client, log) -> None:
    log.vote("duel", "a b", "1")
    assert "<strong>1</strong> vote counted" in text(client.get("/boards/elo/"))
    log.vote("duel", "a b", "1")
    assert "<strong>2</strong> votes counted" in text(client.get("/boards/elo/"))


def test_the_fragment_is_the_changing_part_alone(client: Client, log) -> None:
    log.vote("duel", "a b", "1")
    page, fragment = client.get("/boards/elo/"), client.get("/boards/elo/?fragment=1")
    assert "<html" not in text(fragment)
    assert text(fragment).strip() in text(page)
    assert "no-store" in fragment["Cache-Control"]


def test_names_are_escaped(client: Client, log) -> None:
    log.vote("duel", "<script>alert(1)</script> b", "1")
    page = text(client.get("/boards/elo/"))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_simulated_voters_have_a_tab_only_once_they_voted_and_a_notice(client: Client, log) -> None:
    log.vote("duel", "a b", "1")
    assert "population=simulated" not in text(client.get("/boards/elo/"))
    log.vote("duel", "a b", "2", "simulated")
    people = text(client.get("/boards/elo/"))
    assert "?population=simulated" in people
    assert "Simulated voters." not in people
    simulated = text(client.get("/boards/elo/?population=simulated"))
    assert "Simulated voters." in simulated
    assert '/boards/trueskill/?population=simulated"' in simulated


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/boards/glicko/", "trueskill, elo, elo-twa"),
        ("/boards/elo/quartet/", "fixed, duel, ffa"),
        ("/boards/elo/?population=robots", "people, simulated"),
    ],
)
def test_unknown_boards_are_404_and_list_the_known(client: Client, db, path: str, known: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert known in text(answer)


def test_an_unreadable_vote_is_told_instead_of_a_board(client: Client, log) -> None:
    log.vote("duel", "a b", "left")
    answer = client.get("/boards/elo/")
    assert answer.status_code == 500
    assert "vote 1 cannot be rated" in text(answer)


def test_boards_are_only_read(client: Client, db) -> None:
    assert client.post("/boards/elo/").status_code == 405


def test_the_admin_shows_boards_and_replays_them_but_edits_nothing(admin_client: Client, log) -> None:
    log.vote("duel", "a b", "1")
    board("elo")
    run = RatingRun.objects.get()
    RatingRun.objects.update(state=run.state | {"skipped": 99})
    listing = "/admin/leaderboard/ratingrun/"
    answer = admin_client.post(listing, {"action": "replay", "_selected_action": [run.pk]}, follow=True)
    assert "1 votes replayed" in text(answer)
    assert RatingRun.objects.get().state["skipped"] == 0
    assert admin_client.get(f"{listing}add/").status_code == 403
    assert admin_client.get("/admin/leaderboard/standing/").status_code == 200
    assert 'name="_save"' not in text(admin_client.get(f"{listing}{RatingRun.objects.get().pk}/change/"))


@pytest.mark.parametrize(
    ("query", "kept"), [("", ""), ("?population=simulated&slice=character%3Dmei", "?slice=character%3Dmei")]
)
def test_the_tab_of_similarity_leads_to_what_has_no_votes(client: Client, log, query: str, kept: str) -> None:
    Character.objects.create(name="mei", tags=["1girl"])
    page = client.get(f"/boards/elo/duel/{query}").content.decode()
    assert f'href="/boards/ccip/{kept}"' in page
    assert client.get(f"/boards/ccip/{kept}").status_code == 200
    voted = query.replace("&", "&amp;")
    assert f'href="/boards/joint/duel/{voted}"' in page
