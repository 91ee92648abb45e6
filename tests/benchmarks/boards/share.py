"""What a board's page spends its time on, with some votes to fold; run in the site's environment.

`python -m tests.benchmarks.boards.share METRIC VOTES ROUNDS` prints seconds of the page and of the folding in it.
"""

import json
import sys
import time

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
    client, folding = Client(), []
    refresh = table.refresh

    def timed(*given: object, **named: object) -> object:
        start = time.perf_counter()
        found = refresh(*given, **named)
        folding.append(time.perf_counter() - start)
        return found

    table.refresh = timed
    pages = []
    for _ in range(rounds + 1):
        for ticket in Ticket.objects.filter(vote=None).select_related("voter").order_by("pk")[:votes]:
            cast(ticket.token, "2", ticket.voter)
        start = time.perf_counter()
        assert client.get(f"/boards/{metric}/").status_code == 200
        pages.append(time.perf_counter() - start)
    print(json.dumps({"pages": pages[1:], "folding": folding[1:]}))


if __name__ == "__main__":
    main()
