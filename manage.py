#!/usr/bin/env python
"""Django's command line for the arena."""

import os
import sys

try:
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, ProgrammingError
except ModuleNotFoundError as error:
    sys.exit(
        f"{error.name} is not installed for {sys.executable}. Remedy: make install, then source .venv/bin/activate."
    )

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arena.settings")
    # A command's module has no hyphen: render-plan is render_plan.
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        sys.argv[1] = sys.argv[1].replace("-", "_")
    try:
        execute_from_command_line(sys.argv)
    except (OperationalError, ProgrammingError) as error:
        # SQLite's words, and PostgreSQL's.
        if "no such table" not in str(error) and not ("relation" in str(error) and "does not exist" in str(error)):
            raise
        sys.exit("The database lacks tables of the arena. Remedy: python manage.py migrate (make demo does it, too).")
