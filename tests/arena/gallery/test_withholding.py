"""Public pages keep back what is being judged, typed or flagged: the whole cell, of every contestant."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from arena.gallery.models import Checkpoint, Sample
from arena.gallery.withholding import withheld_cells
from arena.polls.models import Poll, Seat
from arena.votes.models import FreePrompt, ImageFlag, Ticket, Voter
from tests.arena.votes.building import RUN, ready_poll

pytestmark = pytest.mark.django_db
RUN_PAGE = f"/runs/{RUN}-duel/"


@pytest.fixture
def poll(media) -> Poll:
    return ready_poll("duel", contestants=3, prompts=2)


@pytest.fixture
def judging(poll: Poll) -> tuple[Client, set[int]]:
    """A browser with an open matchup, and the samples of its cell."""
    browser = Client()
    browser.get("/polls/duel/")
    matchup = Ticket.objects.get().matchup
    return browser, set(Sample.objects.filter(prompt=matchup.prompt, seed=matchup.seed).values_list("pk", flat=True))


def status(client: Client, sample: int) -> int:
    """What its public address answers."""
    return status_of(client, f"/samples/{sample}.png")


def status_of(client: Client, path: str) -> int:
    answer = client.get(path)
    if answer.streaming:
        assert b"".join(answer.streaming_content).startswith(b"\x89PNG")
    return answer.status_code


def samples() -> set[int]:
    return set(Sample.objects.values_list("pk", flat=True))


def served(client: Client) -> set[int]:
    """Samples that anybody gets."""
    return {sample for sample in samples() if status(client, sample) == 200}


def shown(client: Client) -> set[int]:
    """Samples on the run's page and on the pages of all checkpoints, which must agree."""
    hashes = Checkpoint.objects.values_list("sha256", flat=True)
    checkpoints = "".join(client.get(f"/checkpoints/{sha[:12]}/").content.decode() for sha in hashes)
    texts = [client.get(RUN_PAGE).content.decode(), checkpoints]
    found = [{sample for sample in samples() if f"/samples/{sample}.png" in text} for text in texts]
    assert found[0] == found[1]
    return found[0]


def test_a_cell_that_is_being_judged_is_kept_back_for_every_contestant_until_the_answer(judging, client) -> None:
    browser, cell = judging
    assert len(cell) == 3
    everything = samples()
    for anybody in (browser, client):
        assert served(anybody) == everything - cell
        assert shown(anybody) == everything - cell
    assert "being judged just now" in client.get(RUN_PAGE).content.decode()
    browser.post("/polls/duel/vote", {"ticket": Ticket.objects.get().token, "outcome": "1"})
    assert served(client) == shown(client) == everything
    assert "being judged" not in client.get(RUN_PAGE).content.decode()


def test_an_abandoned_matchup_keeps_nothing_back_for_long(judging, client, settings) -> None:
    _, cell = judging
    Ticket.objects.update(created_at=timezone.now() - timedelta(minutes=settings.ARENA_WITHHOLD_MINUTES + 1))
    assert cell <= served(client)


def test_a_typed_prompt_is_kept_back_while_it_is_rendered(poll, client) -> None:
    sample = Sample.objects.first()
    typed = FreePrompt.objects.create(
        voter=Voter.objects.create(), poll=poll, prompt=sample.prompt, seed=sample.seed, state="rendering"
    )
    assert sample.pk not in served(client)
    FreePrompt.objects.filter(pk=typed.pk).update(state="failed")
    assert sample.pk in served(client)


def test_a_flagged_cell_is_kept_back_until_an_admin_keeps_it(poll, client) -> None:
    sample = Sample.objects.first()
    ImageFlag.objects.create(voter=Voter.objects.create(), sample=sample)
    assert withheld_cells({sample.prompt_id}) == {(sample.prompt_id, sample.seed)}
    assert len(served(client)) == 3
    ImageFlag.objects.update(decision="kept")
    assert len(served(client)) == 6


def test_what_is_kept_back_is_not_cached_as_missing(judging, client) -> None:
    _, cell = judging
    answer = client.get(f"/samples/{cell.pop()}.png")
    assert answer.status_code == 404
    assert "max-age" not in answer.get("Cache-Control", "")


def test_a_seat_is_still_served_to_its_booth(judging) -> None:
    browser, _ = judging
    assert all(browser.get(f"/images/{seat.image_key}.png").status_code == 200 for seat in Seat.objects.all())


def test_every_page_and_image_of_a_cell_that_is_judged_is_kept_back(judging, client) -> None:
    browser, cell = judging
    one, other, _ = sorted(cell)
    checkpoints = "&".join(f"checkpoint={sha[:12]}" for sha in Checkpoint.objects.values_list("sha256", flat=True))
    paths = [
        f"/samples/{one}/", f"/samples/{one}/archive.png", f"/samples/{one}/less/{other}/",
        f"/samples/{one}/less/{other}.png",
    ]  # fmt: skip
    for anybody in (browser, client):
        assert [status_of(anybody, path) for path in paths] == [404] * 4
        assert b"kept back" in anybody.get(paths[0]).content
        grid = anybody.get(f"/side-by-side/?{checkpoints}").content.decode()
        found = {sample for sample in samples() if f"/samples/{sample}." in grid or f"/samples/{sample}/" in grid}
        assert found == samples() - cell
        assert "1 row is being judged just now" in grid
    browser.post("/polls/duel/vote", {"ticket": Ticket.objects.get().token, "outcome": "1"})
    assert [status_of(client, path) for path in paths] == [200] * 4
