"""manage.py api_token create | revoke | list"""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from arena.api.models import ApiToken, Scope
from arena.api.tokens import TokenError, issue, revoke

PIPED_WIDTH = 160
COLUMNS = ("name", "scopes", "state", "created_at", "expires_at", "last_used_at")


class Command(BaseCommand):
    help = "Make, revoke and list the tokens that let researchers and trainers use the API."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """A verb and its options."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a token; its secret alone goes to the standard output, once")
        create.add_argument("name", help="whose it is, or what for")
        scopes = ", ".join(f"{value} ({label})" for value, label in Scope.choices)
        create.add_argument("--scope", action="append", default=[], help=f"what it allows, once for each: {scopes}")
        create.add_argument("--days", type=float, default=90.0, help="days until it expires (default 90)")
        end = verbs.add_parser("revoke", help="let nobody in with it any more")
        end.add_argument("name")
        listing = verbs.add_parser("list", help="names, scopes, state; never a secret")
        listing.add_argument("--json", action="store_true", help="as JSON")

    def handle(self, *, verb: str, **options: Any) -> None:
        """Do it; CommandError with the reason."""
        try:
            {"create": self._create, "revoke": self._revoke, "list": self._list}[verb](options)
        except TokenError as error:
            raise CommandError(str(error)) from error

    def _create(self, options: dict[str, Any]) -> None:
        token, secret = issue(options["name"], options["scope"] or [Scope.READ.value], options["days"])
        until = f"until {token.expires_at:%Y-%m-%d %H:%M} UTC"
        self.stderr.write(f"{token.name}: {', '.join(token.scopes)}, {until}. Keep the secret; it is not shown again:")
        self.stdout.write(secret)

    def _revoke(self, options: dict[str, Any]) -> None:
        token = revoke(options["name"])
        self.stdout.write(f"{token.name} is revoked since {token.revoked_at:%Y-%m-%d %H:%M} UTC")

    def _list(self, options: dict[str, Any]) -> None:
        rows = [[_told(getattr(token, name)) for name in COLUMNS] for token in ApiToken.objects.all()]
        if options["json"]:
            self.stdout.write(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows], indent=2))
            return
        table = Table(*COLUMNS, title="API tokens")
        for row in rows:
            table.add_row(*(str(value or "") for value in row))
        console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, markup=False, highlight=False)
        with console.capture() as printed:
            console.print(table)
        self.stdout.write(printed.get())


def _told(value: Any) -> Any:
    """A value as text, None as it is."""
    if isinstance(value, list):
        return ", ".join(value)
    return value.isoformat(timespec="minutes") if hasattr(value, "isoformat") else value
