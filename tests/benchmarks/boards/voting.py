"""Casts the waiting tickets at a steady rate and says when each was committed; run in the site's environment.

`python -m tests.benchmarks.boards.voting COUNT RATE` prints a line for each: its number and the time.
"""

import sys
import time

import django

django.setup()

from arena.votes.casting import cast  # noqa: E402
from arena.votes.models import Ticket  # noqa: E402


def main() -> None:
    count, rate = (int(text) for text in sys.argv[1:])
    tickets = list(Ticket.objects.filter(vote=None).select_related("voter").order_by("pk")[:count])
    start = time.time()
    for at, ticket in enumerate(tickets):
        time.sleep(max(0.0, start + at / rate - time.time()))
        vote = cast(ticket.token, "1", ticket.voter)
        print(vote.number, time.time(), flush=True)


if __name__ == "__main__":
    main()
