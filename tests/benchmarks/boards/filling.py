"""A million votes on 200 contestants and 20 prompt sets, in PostgreSQL; run in the site's environment.

`python -m tests.benchmarks.boards.filling VOTES WAITING` writes the votes, and tickets that wait for an answer.
"""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import django

django.setup()

import numpy as np  # noqa: E402
from django.db import connection  # noqa: E402

from arena.gallery.models import Checkpoint, Contestant, Prompt, PromptSet, Run, Sample  # noqa: E402
from arena.polls.models import Enrolment, Poll  # noqa: E402
from arena.votes.models import VoteLog  # noqa: E402
from generation.recipe import Recipe  # noqa: E402

RUNS, EPOCHS, SETS, PROMPTS, VOTERS = 20, 10, 20, 20, 5000
KINDS = ("fixed", "duel", "ffa")
START = datetime(2026, 1, 1, tzinfo=UTC)


def make_gallery() -> tuple[list[int], list[int], np.ndarray]:
    """Keys of the polls, of the prompts, and (contestants, prompts) of the samples."""
    recipe = Recipe()
    sets = [PromptSet.objects.create(slug=f"set-{at}", title=f"Set {at}", seeds=[11]) for at in range(SETS)]
    polls = [
        Poll.objects.create(kind=kind, question="?", prompt_set=one) for kind, one in zip(KINDS, sets, strict=False)
    ]
    for one in sets:
        Prompt.objects.bulk_create(Prompt(prompt_set=one, text=f"1girl, tag {at}, {one.slug}") for at in range(PROMPTS))
    contestants = []
    for run in range(RUNS):
        owner = Run.objects.create(name=f"run-{run:02}")
        parent = None
        for epoch in range(EPOCHS):
            name = f"run-{run:02} epoch {epoch}"
            digest = f"{run * EPOCHS + epoch:064x}"
            parent = Checkpoint.objects.create(
                run=owner, parent=parent, name=name, epoch=epoch, sha256=digest, licence="CC BY 4.0"
            )
            contestants.append(Contestant(checkpoint=parent, recipe=recipe.to_dict(), recipe_sha256=recipe.sha256))
    contestants = Contestant.objects.bulk_create(contestants)
    Enrolment.objects.bulk_create(Enrolment(poll=poll, contestant=one) for poll in polls for one in contestants)
    prompts = list(Prompt.objects.order_by("pk").values_list("pk", flat=True))
    samples = [
        Sample(contestant=one, prompt_id=prompt, seed=11, conditions=prompt)
        for one in contestants
        for prompt in prompts
    ]
    made = Sample.objects.bulk_create(samples, batch_size=5000)
    keys = np.array([sample.pk for sample in made]).reshape(len(contestants), len(prompts))
    return [poll.pk for poll in polls], prompts, keys


def four_of(n: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, 4) four different ones of n, drawn again where one came twice."""
    shown = rng.integers(0, n, (count, 4))
    while (twice := (np.diff(np.sort(shown, axis=1), axis=1) == 0).any(axis=1)).any():
        shown[twice] = rng.integers(0, n, (twice.sum(), 4))
    return shown


def copy(table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with connection.connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as out:
        for row in rows:
            out.write_row(row)


def main() -> None:
    votes, waiting = int(sys.argv[1]), int(sys.argv[2])
    polls, prompts, samples = make_gallery()
    rng, n, count = np.random.default_rng(0), len(samples), votes + waiting
    strength = rng.normal(0.0, 0.6, n)
    kind = rng.integers(0, 3, count)
    prompt = rng.integers(0, len(prompts), count)
    shown = four_of(n, count, rng)
    utility = strength[shown] + rng.gumbel(size=shown.shape)
    utility[(kind != 2)[:, None] & (np.arange(4) > 1)] = -np.inf
    best = utility.argmax(axis=1)
    outcome = np.char.mod("%d", best + 1).astype("U4")
    outcome[(kind == 0) & (rng.random(count) < 0.08)] = "1=2"
    outcome[(kind == 0) & (rng.random(count) < 0.03)] = "bad"
    moments = [START + timedelta(seconds=int(second)) for second in range(0, 2 * count, 2)]
    voter = np.arange(count) % VOTERS
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
    names = "id, key, population, preference, settings, revoked_reason, last_screened_number, created_at"
    copy("votes_voter", names, ((at + 1, f"bench-{at}", "people", "", "{}", "", 0, START) for at in range(VOTERS)))
    rows = range(count)
    copy(
        "polls_matchup", "id, poll_id, prompt_id, seed, rule, created_at",
        ((at + 1, polls[kind[at]], prompts[prompt[at]], 11, "balanced-random/2", moments[at]) for at in rows),
    )  # fmt: skip
    copy(
        "polls_seat", "matchup_id, position, sample_id, image_key",
        (
            (at + 1, place + 1, int(samples[shown[at, place], prompt[at]]), f"{at}-{place}")
            for at in rows for place in range(4 if kind[at] == 2 else 2)
        ),
    )  # fmt: skip
    # Tickets that wait were handed out just now, or they would have expired.
    handed = [*moments[:votes], *([datetime.now(UTC)] * waiting)]
    copy(
        "votes_ticket", "id, token, voter_id, matchup_id, created_at, shown_at",
        ((at + 1, f"bench-{at}", int(voter[at]) + 1, at + 1, handed[at], handed[at]) for at in rows),
    )  # fmt: skip
    copy(
        "votes_vote", "number, ticket_id, outcome, reason, answered_after_ms, created_at",
        ((at + 1, at + 1, str(outcome[at]), "", 4000, moments[at]) for at in range(votes)),
    )  # fmt: skip
    copy(
        "votes_voteexclusion", "vote_id, state, rule, reason, created_at",
        ((row[0], "excluded", "too-fast", "bench", START) for row in vote_keys(votes)),
    )  # fmt: skip
    VoteLog.objects.update_or_create(pk=1, defaults={"length": votes})
    with connection.cursor() as cursor:
        for table in ("votes_voter", "polls_matchup", "votes_ticket"):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT MAX(id) FROM {table}))")
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM ANALYZE")


def vote_keys(votes: int) -> list[tuple[int]]:
    """Every fiftieth vote is taken off."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM votes_vote WHERE number %% 50 = 0 AND number <= %s ORDER BY id", [votes])
        return list(cursor.fetchall())


if __name__ == "__main__":
    main()
