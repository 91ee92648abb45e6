"""What a typed prompt may hold, and that its characters are never taken for anything but text."""

import io
import json
import random
from pathlib import Path

import pytest
from PIL import Image

from arena.gallery.models import Sample
from arena.gallery.registering import register
from arena.polls.models import Poll
from arena.votes import free_prompts
from arena.votes.casting import issue_ticket
from arena.votes.hygiene import clean
from arena.votes.models import FreePrompt, Voter
from arena.votes.refusals import NoPromptsHere, PromptRefused, RevokedVoter, TooMany
from generation.content import plain_words
from generation.tiny import write_tiny_checkpoint
from tests.arena.votes.building import enrol, make_poll, ready_poll

SCRIPT = "1girl, <script>alert('1')</script><img src=x onerror=alert(2)>"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("\uff11\uff47\uff49\uff52\uff4c", "1girl"),
        ("\u210d\U0001d4ee\U0001d4f5\U0001d4f5\U0001d4f8", "Hello"),
        ("1girl,\u3000smile\u2028blue", "1girl, smile blue"),
        ("cafe\u0301", "caf\xe9"),
        ("\U0001f338 1girl", "\U0001f338 1girl"),
    ],
)
def test_text_is_brought_to_its_compatible_form(typed: str, kept: str) -> None:
    assert clean(typed, Poll()) == kept


@pytest.mark.parametrize(
    "character",
    [
        "\x00",
        "\x07",
        "\x7f",
        "\x9b",
        "\u200b",
        "\u200d",
        "\u202e",
        "\u2066",
        "\ufeff",
        "\ue000",
        "\ud800",
        "\U000e0041",
    ],
)
def test_control_and_invisible_characters_are_refused(character: str) -> None:
    with pytest.raises(PromptRefused, match="not text"):
        clean(f"1girl{character}, smile", Poll())


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        ("loli", "loli"),
        ("1girl, LOLI.", "loli"),
        ("oppai_loli", "loli"),
        ("\uff4c\uff4f\uff4c\uff49", "loli"),
        ("l\u00f3l\u00ed", "loli"),
        ("aged-down", "aged down"),
        ("(gore:1.3)", "gore"),
    ],
)
def test_banned_tags_are_refused_in_every_poll_and_spelling(typed: str, word: str) -> None:
    with pytest.raises(PromptRefused, match=f"“{word}” is not drawn here"):
        clean(typed, Poll(content_rating="explicit"))


@pytest.mark.parametrize("typed", ["gorecki, lolling, shotaro, cpu, analogue, cucumber", "essex, sextant, grape"])
def test_words_are_compared_whole(typed: str) -> None:
    assert clean(typed, Poll()) == typed


def test_each_poll_takes_the_ratings_up_to_its_own() -> None:
    words = {"sensitive": "underwear", "questionable": "nude", "explicit": "hentai"}
    ratings = list(Poll.ContentRating)
    for at, rating in enumerate(ratings):
        poll = Poll(content_rating=rating)
        for level, word in words.items():
            if ratings.index(level) <= at:
                assert clean(word, poll) == word
            else:
                with pytest.raises(PromptRefused, match=f"this poll shows {poll.get_content_rating_display()} images"):
                    clean(word, poll)


def test_a_poll_has_banned_tags_of_its_own() -> None:
    poll = Poll(banned_tags="blue hair, , spoiler ")
    for typed in ("1girl, blue_hair", "Spoiler"):
        with pytest.raises(PromptRefused):
            clean(typed, poll)
    assert clean("blue eyes, red hair", poll)


def test_the_file_of_banned_tags_is_read_again_and_nothing_is_taken_without_it(settings, tmp_path: Path) -> None:
    settings.ARENA_BANNED_TAGS_FILE = tmp_path / "tags.txt"
    with pytest.raises(NoPromptsHere, match="not taken just now"):
        clean("1girl", Poll())
    settings.ARENA_BANNED_TAGS_FILE.write_text("# comment\n\nkraken\n")
    assert clean("loli, comment", Poll()) == "loli, comment"
    with pytest.raises(PromptRefused, match="kraken"):
        clean("Kraken", Poll())


def test_a_text_of_a_megabyte_is_refused_quickly() -> None:
    with pytest.raises(PromptRefused, match="1,000,000 characters"):
        clean("\ufdfa" * 1_000_000, Poll())


def test_plain_words_by_hand() -> None:
    assert plain_words("N\u0303_sfw!  (A:1.2)") == " n sfw a 1 2 "


@pytest.mark.django_db
def test_a_voter_types_so_many_prompts_a_day(voter, settings) -> None:
    settings.ARENA_PROMPTS_A_DAY = 2
    poll = ready_poll("duel", contestants=2, prompts=1)
    for text in ("one", "two"):
        free_prompts.cancel(free_prompts.take(poll, voter, text, random.Random(1)))
    with pytest.raises(TooMany, match="2 prompts in 24 hours") as refused:
        free_prompts.take(poll, voter, "three", random.Random(1))
    assert 86_000 < refused.value.seconds <= 86_400
    free_prompts.take(poll, Voter.objects.create(), "three", random.Random(1))


@pytest.mark.django_db
def test_a_revoked_voter_types_none(voter) -> None:
    poll = ready_poll("duel", contestants=2, prompts=1)
    voter.revoked_at = "2026-01-01T00:00Z"
    with pytest.raises(RevokedVoter):
        free_prompts.take(poll, voter, "one", random.Random(1))


@pytest.mark.django_db
def test_html_is_text_from_the_form_to_the_manifest(client, living_worker, tmp_path: Path, monkeypatch) -> None:
    poll = make_poll("duel", prompts=0)
    for epoch in (1, 2):
        write_tiny_checkpoint(tmp_path / str(epoch), seed=1, epoch=epoch)
        enrol(poll, register(tmp_path / str(epoch))[0], rendered=False)
    monkeypatch.setattr("arena.votes.prompt_views.render_free_prompt.delay_on_commit", lambda token: None)
    sent = client.post("/polls/duel/prompt", {"prompt": SCRIPT})
    pages = [client.get(sent["Location"]).content, client.get("/polls/duel/").content]
    free = FreePrompt.objects.get()
    assert free.prompt.text == SCRIPT
    free_prompts.render(free.token, random.Random(1))
    pages += [client.get("/polls/duel/").content]
    ticket = issue_ticket(poll, free.voter, random.Random(1))
    answered = client.post("/polls/duel/vote", {"ticket": ticket.token, "outcome": "1"})
    pages += [client.get(answered["Location"]).content]
    client.post(f"/votes/{ticket.token}/reveal")
    pages += [client.get(answered["Location"]).content]
    pages += [client.get(f"/checkpoints/{ticket_checkpoint(ticket)}/").content]
    for page in pages:
        assert b"<script>alert" not in page
        assert b"<img src=x" not in page
        assert b"&lt;script&gt;alert" in page
    with Sample.objects.first().archive.open("rb") as file, Image.open(io.BytesIO(file.read())) as image:
        assert json.loads(image.info["manifest"])["prompt"] == SCRIPT


def ticket_checkpoint(ticket) -> str:
    """The short hash of the first seat's checkpoint."""
    return ticket.matchup.seats.first().sample.contestant.checkpoint.sha256[:12]
