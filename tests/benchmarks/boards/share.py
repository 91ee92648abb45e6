"""What a board's page spends its time on, with some votes to fold; run in the site's environment.

`python -m tests.benchmarks.boards.share METRIC VOTES ROUNDS` prints seconds of the page and of the folding in it,
and the mean of their processor seconds.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.test import Client  # noqa: E402

from arena.leaderboard import table  # noqa: E402
from arena.votes.casting import cast  # noqa: E402
from arena.votes.models import Ticket  # noqa: E402


def main() -> None:
    metric, votes, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    settings.ALLOWED_HOSTS = ["*"]
    client = Client()
    pages, folding = [], []

    def timed(work: Callable[..., Any], kept: list[tuple[float, float]]) -> Callable[..., Any]:
        def run(*given: object, **named: object) -> Any:
            start = time.perf_counter(), time.process_time()
            found = work(*given, **named)
            kept.append((time.perf_counter() - start[0], time.process_time() - start[1]))
            return found

        return run

    table.refresh, look = timed(table.refresh, folding), timed(client.get, pages)
    for _ in range(rounds + 1):
        for ticket in Ticket.objects.filter(vote=None).select_related("voter").order_by("pk")[:votes]:
            cast(ticket.token, "2", ticket.voter)
        assert look(f"/boards/{metric}/").status_code == 200
    found: dict[str, object] = {}
    for name, kept in (("pages", pages), ("folding", folding)):
        found[name] = [wall for wall, _ in kept[1:]]
        found[f"{name}_processor"] = statistics.fmean(processor for _, processor in kept[1:])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
