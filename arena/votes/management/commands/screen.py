"""`manage.py screen`: a second look at everybody's votes."""

import json
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from arena.votes.rescreening import Report, rescreen


class Command(BaseCommand):
    """Sets votes aside, confirms that, or counts them again."""

    help = "Screen people's votes again: set suspicious voters' votes aside, confirm them, or count them again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How, and how often."""
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        parser.add_argument("--force", action="store_true", help="act even if suspiciously many voters are found")
        parser.add_argument("--every", type=float, metavar="SECONDS", help="go on, with a pause of that long")
        parser.add_argument("--json", action="store_true", help="one JSON object instead of sentences")

    def handle(self, *args: Any, **options: Any) -> None:
        """Look once, or again and again."""
        while True:
            report = rescreen(dry_run=options["dry_run"], force=options["force"])
            self.stdout.write(as_json(report) if options["json"] else as_text(report))
            if options["every"] is None:
                return
            time.sleep(max(options["every"], 1))


def as_text(report: Report) -> str:
    """What was found, a line each, and what was done."""
    lines = [
        f"voter {voter}: {'excluded' if finding.certain else 'unverified'}, {finding.reason}"
        for voter, finding in sorted(report.findings.items())
    ]
    lines.append(f"{report.votes} votes of {report.voters} voters: {len(report.findings)} voters are suspicious.")
    lines.append(
        f"Nothing was changed: {report.stopped}. Look at them, then run it again with --force."
        if report.stopped
        else f"{report.set_aside} votes were set aside, {report.lifted} count again."
    )
    return "\n".join(lines)


def as_json(report: Report) -> str:
    """The same for programs."""
    findings = {
        voter: {"rule": finding.rule, "certain": finding.certain, "reason": finding.reason}
        for voter, finding in report.findings.items()
    }
    fields = {name: getattr(report, name) for name in ("voters", "votes", "set_aside", "lifted", "stopped")}
    return json.dumps(fields | {"findings": findings}, ensure_ascii=False)
