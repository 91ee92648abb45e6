"""What is left after the soak, compared with what was acknowledged; prints one JSON object of figures and faults.

Run as `python -m tests.soak.check FILE…` in the site's environment.
"""

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import django

django.setup()

from django.core.management import call_command, get_commands  # noqa: E402
from django.db.models import Count, Q  # noqa: E402

from arena.leaderboard.models import RatingRun, Standing  # noqa: E402
from arena.leaderboard.replay import rebuild, refresh  # noqa: E402
from arena.polls.models import Enrolment, Matchup, Seat  # noqa: E402
from arena.votes.free_prompts import RENDERER_FAILED  # noqa: E402
from arena.votes.models import FreePrompt, Ticket, Vote, VoteExclusion, VoteLog  # noqa: E402

METRICS = ("elo", "trueskill")
UNFINISHED = ("queued", "rendering")


def lines(paths: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for path in paths for line in Path(path).read_text().splitlines()]


def faults(said: list[dict[str, Any]]) -> list[str]:
    """Sentences about what does not fit; empty when all is well."""
    votes = {(line["ticket"], line["vote"], line["outcome"]) for line in said if "vote" in line}
    stored = set(Vote.objects.values_list("ticket__token", "number", "outcome"))
    undone = {line["undone"] for line in said if "undone" in line}
    excluded = set(VoteExclusion.objects.filter(rule="undone").values_list("vote__ticket__token", flat=True))
    revealed = {line["revealed"] for line in said if "revealed" in line}
    kept = set(Ticket.objects.exclude(revealed_at=None).values_list("token", flat=True))
    found = {
        "acknowledged votes that are not stored": votes - stored,
        "stored votes that were never acknowledged": stored - votes,
        "acknowledged undos that are not stored, or the reverse": undone ^ excluded,
        "acknowledged reveals that are not stored, or the reverse": revealed ^ kept,
        "gaps in the log": set(range(1, VoteLog.objects.get().length + 1)) ^ {number for _, number, _ in stored},
        "matchups with two votes that count": set(twice()),
        "contestants whose appearances are not their seats": set(miscounted()),
        "prompts without an end": set(FreePrompt.objects.filter(state__in=UNFINISHED).values_list("pk", flat=True)),
        "prompts that the renderer refused": set(FreePrompt.objects.filter(error=RENDERER_FAILED)),
        "ready prompts without one ticket": set(
            FreePrompt.objects.filter(state="ready", ticket=None).values_list("pk", flat=True)
        ),
        "boards that differ from a replay": {metric for metric in METRICS if not replayed(metric)},
    }
    return [f"{len(what)} {name}: {sorted(what, key=str)[:3]}" for name, what in found.items() if what]


def twice() -> list[int]:
    counted = Count("tickets__vote", filter=Q(tickets__vote__exclusion=None))
    return list(Matchup.objects.annotate(counted=counted).filter(counted__gt=1).values_list("pk", flat=True))


def miscounted() -> list[int]:
    seats = dict(
        Seat.objects.order_by()
        .values_list("sample__contestant")
        .annotate(seats=Count("pk"))
        .values_list("sample__contestant", "seats")
    )
    return [row.pk for row in Enrolment.objects.all() if row.appearances != seats.get(row.contestant_id, 0)]


def replayed(metric: str) -> bool:
    """Whether the board as it was kept up to date during the soak equals a replay from nothing, bit for bit."""
    kept, again = (rows(make(metric, "duel")) for make in (refresh, rebuild))
    return kept == again and bool(kept)


def rows(run: RatingRun) -> list[dict[str, Any]]:
    standings = Standing.objects.filter(rating_run=run).order_by("contestant_id")
    return [
        {"log": run.log_sha256, "counted": run.counted},
        *standings.values("contestant_id", "rank", "value", "low", "high", "mu", "sigma", "votes", "wins", "losses"),
    ]


def audit() -> str:
    """What `manage.py audit` says, empty when it is content."""
    if "audit" not in get_commands():
        return "there is no such command yet"
    out = io.StringIO()
    try:
        with contextlib.redirect_stderr(out):
            call_command("audit", stdout=out)
    except (Exception, SystemExit) as error:
        return f"{error}\n{out.getvalue()}" if getattr(error, "code", 1) else ""
    return ""


def main() -> None:
    said = lines(sys.argv[1:])
    figures = {
        "acknowledged": sum("vote" in line for line in said),
        "stored": Vote.objects.count(),
        "undone": VoteExclusion.objects.filter(rule="undone").count(),
        "revealed": Ticket.objects.exclude(revealed_at=None).count(),
        "retries": sum(line.get("retries", 0) for line in said),
        "prompts": {
            f"{state} {error}".strip(): count
            for state, error, count in FreePrompt.objects.order_by().values_list("state", "error").annotate(Count("pk"))
        },
        "audit": audit(),
    }
    print(json.dumps({"figures": figures, "faults": faults(said)}))


if __name__ == "__main__":
    main()
