"""Stored votes by the million, written by the database itself; run in the site's environment.

`python -m tests.benchmarks.votes.filling VOTES` makes the poll where there is none, and tops the log up.
"""

import sys

import django

django.setup()

from django.db import connection  # noqa: E402

from arena.gallery.models import Sample  # noqa: E402
from arena.polls.models import Poll  # noqa: E402
from arena.votes.models import VoteLog  # noqa: E402
from tests.arena.votes.building import make_contestant, make_poll  # noqa: E402

CONTESTANTS, PROMPTS, VOTES_OF_A_VOTER = 10, 60, 100
# Contestant numbers a and b of vote n are those of its two seats; every pair and every prompt comes round.
PICKED = f"""
    SELECT n, p.id AS prompt_id, a.id AS sample_a, b.id AS sample_b FROM generate_series(%(first)s, %(last)s) AS n
    JOIN bench_prompt p ON p.place = n %% {PROMPTS}
    JOIN bench_sample a ON a.prompt_id = p.id AND a.place = n %% {CONTESTANTS}
    JOIN bench_sample b ON b.prompt_id = p.id
        AND b.place = (n %% {CONTESTANTS} + 1 + (n / {CONTESTANTS}) %% {CONTESTANTS - 1}) %% {CONTESTANTS}
"""
STATEMENTS = (
    # Foreign keys are right by construction; checking them would take most of the time.
    "SET session_replication_role = replica",
    f"""CREATE TEMP TABLE bench_prompt AS
        SELECT id, (row_number() OVER (ORDER BY id) - 1) %% {PROMPTS} AS place FROM gallery_prompt""",
    f"""CREATE TEMP TABLE bench_sample AS SELECT id, prompt_id,
        (row_number() OVER (PARTITION BY prompt_id ORDER BY id) - 1) %% {CONTESTANTS} AS place FROM gallery_sample""",
    f"CREATE TEMP TABLE bench_vote AS {PICKED}",
    f"""INSERT INTO votes_voter (id, key, population, preference, settings, revoked_reason, last_screened_number,
            created_at)
        SELECT 1000000000 + v, 'bench-' || v, 'people', '', '{{}}', '', 0, now()
        FROM (SELECT DISTINCT n / {VOTES_OF_A_VOTER} AS v FROM bench_vote) AS voters ON CONFLICT DO NOTHING""",
    """INSERT INTO polls_matchup (id, poll_id, prompt_id, seed, rule, created_at)
        SELECT 1000000000 + n, %(poll)s, prompt_id, 11, 'balanced-random/2', now() FROM bench_vote""",
    """INSERT INTO polls_seat (matchup_id, position, sample_id, image_key)
        SELECT 1000000000 + n, 1, sample_a, md5('a' || n) FROM bench_vote
        UNION ALL SELECT 1000000000 + n, 2, sample_b, md5('b' || n) FROM bench_vote""",
    f"""INSERT INTO votes_ticket (id, token, voter_id, matchup_id, created_at, shown_at)
        SELECT 1000000000 + n, md5('t' || n), 1000000000 + n / {VOTES_OF_A_VOTER}, 1000000000 + n, now(), now()
        FROM bench_vote""",
    """INSERT INTO votes_vote (number, ticket_id, outcome, reason, answered_after_ms, created_at)
        SELECT %(length)s + n - %(first)s + 1, 1000000000 + n, (1 + n %% 2)::text, '', 4000, now() FROM bench_vote""",
    "UPDATE votes_votelog SET length = length + %(last)s - %(first)s + 1",
    f"UPDATE polls_enrolment SET appearances = appearances + 2 * (%(last)s - %(first)s + 1) / {CONTESTANTS}",
    "SET session_replication_role = DEFAULT",
    "DROP TABLE bench_vote, bench_prompt, bench_sample",
)


def make_duel() -> Poll:
    """Contestants, prompts and the rows of their images; no file is ever asked for."""
    poll = make_poll("duel", PROMPTS)
    contestants = [make_contestant(epoch) for epoch in range(1, CONTESTANTS + 1)]
    for contestant in contestants:
        poll.enrolments.create(contestant=contestant)
    Sample.objects.bulk_create(
        Sample(contestant=contestant, prompt=prompt, seed=11, conditions=prompt.pk)
        for prompt in poll.prompt_set.prompts.all()
        for contestant in contestants
    )
    return poll


def main() -> None:
    poll = Poll.objects.filter(kind="duel").first() or make_duel()
    length = VoteLog.objects.get().length
    numbers = {"poll": poll.pk, "length": length, "first": length, "last": int(sys.argv[1]) - 1}
    with connection.cursor() as cursor:
        for statement in STATEMENTS:
            cursor.execute(statement, {name: numbers[name] for name in numbers if f"%({name})s" in statement})
        cursor.execute("CREATE TABLE IF NOT EXISTS bare (id bigserial PRIMARY KEY, answer text)")
        cursor.execute("VACUUM ANALYZE")


if __name__ == "__main__":
    main()
