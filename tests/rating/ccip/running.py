"""`python -m rating ccip` within the process of the test."""

import contextlib
import io

from rating.cli import main


def ccip(*arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output, error output."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            code = main(["ccip", *map(str, arguments)])
        except SystemExit as stop:
            code = int(str(stop.code))
    return code, out.getvalue(), errors.getvalue()
