"""Peak memory of the command that exports many votes, against the same command on a tenth of them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.site import Site
from tests.soak.database import postgres_database

VOTES = 200_000


def workers(folder: Path) -> tuple[Callable[[], float], Callable[[], float]]:
    """Ours with all votes, and with a tenth of them, in megabytes."""
    return lambda: peak(folder, VOTES), lambda: peak(folder, VOTES // 10)


def peak(folder: Path, votes: int) -> float:
    """Megabytes of resident memory at most."""
    with filled(folder, votes) as site:
        script = (
            "import resource, django; django.setup();"
            "from django.core.management import call_command;"
            f"call_command('export_votes', {str(folder / f'{votes}.csv')!r});"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        return int(site.command("-c", script).splitlines()[-1]) / 1024


@contextmanager
def filled(folder: Path, votes: int) -> Iterator[Site]:
    """An arena on PostgreSQL with so many votes."""
    home = folder / str(votes)
    home.mkdir(exist_ok=True)
    with postgres_database(f"arena_export_{os.getpid()}_{votes}") as url:
        site = Site(home, DATABASE_URL=url)
        site.manage("migrate", "-v0")
        site.command("-m", "tests.benchmarks.votes.filling", str(votes))
        yield site
