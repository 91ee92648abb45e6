"""`manage.py audit`: check what must hold in the stored data; exit 1 naming what does not."""

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress

from arena.leaderboard.auditing import standings_are_the_replay, standings_have_their_votes
from arena.leaderboard.log import ReplayError
from arena.management.invariants import STORED, Invariant

INVARIANTS = (
    *STORED,
    Invariant("standings-are-replay", "standings are the replay of the log, bit for bit", standings_are_the_replay),
    Invariant("standings-have-votes", "no standing without its votes", standings_have_their_votes),
)
SHOWN = 10


class Command(BaseCommand):
    """Reads everything, changes nothing."""

    help = "Check the invariants of the stored data; nothing is changed. Exits 1 if one is broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which, and how it is told."""
        parser.add_argument("names", nargs="*", metavar="INVARIANT", help="only these; all without it")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check one after the other. Raises CommandError naming those that are broken."""
        known = {invariant.name: invariant for invariant in INVARIANTS}
        unknown = [name for name in options["names"] if name not in known]
        if unknown:
            raise CommandError(f"there is no invariant {unknown[0]!r}; known: {', '.join(known)}")
        results = list(self.results([known[name] for name in options["names"] or known], quiet=options["json"]))
        broken = [result["name"] for result in results if result["violations"]]
        if options["json"]:
            self.stdout.write(json.dumps({"ok": not broken, "invariants": results}, indent=2, ensure_ascii=False))
        else:
            self.stdout.write(f"{len(results) - len(broken)} of {len(results)} invariants hold.")
        if broken:
            raise CommandError(f"broken: {', '.join(broken)} (docs/audit.md says what to do)")

    def results(self, invariants: list[Invariant], quiet: bool) -> Iterator[dict[str, Any]]:
        """Each invariant with what violates it, told as it is found."""
        with Progress(console=Console(stderr=True), transient=True, disable=quiet or not sys.stderr.isatty()) as bar:
            task = bar.add_task("audit", total=len(invariants))
            for invariant in invariants:
                bar.update(task, description=invariant.name)
                started = time.monotonic()
                found, count = examine(invariant)
                bar.advance(task)
                if not quiet:
                    self.tell(invariant, found, count, time.monotonic() - started)
                yield {"name": invariant.name, "holds": invariant.holds, "violations": count, "examples": found}

    def tell(self, invariant: Invariant, found: list[str], count: int, seconds: float) -> None:
        """A line, and one more for each of the first violations."""
        self.stdout.write(f"{'BROKEN' if count else 'ok':6} {invariant.name}: {invariant.holds} ({seconds:.1f} s)")
        for sentence in found:
            self.stdout.write(f"         {sentence}")
        if count > len(found):
            self.stdout.write(f"         and {count - len(found)} more")


def examine(invariant: Invariant) -> tuple[list[str], int]:
    """The first violations, and how many there are; a log that cannot be replayed is one."""
    violations = invariant.check()
    try:
        found = list(islice(violations, SHOWN))
        return found, len(found) + sum(1 for _ in violations)
    except ReplayError as error:
        return [str(error)], 1
