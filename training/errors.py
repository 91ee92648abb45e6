"""Errors meant for the person at the terminal."""


class UserError(Exception):
    """Something the user can put right; the message names the thing and the remedy.

    ``training.cli`` prints it on stderr without a traceback and exits with status 1.
    """
