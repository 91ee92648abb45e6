"""Kinds of numbers on a command line."""

import argparse


def count(text: str) -> int:
    """0 or more. Raises argparse.ArgumentTypeError otherwise."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is negative")
    return value


def positive(text: str) -> int:
    """1 or more. Raises argparse.ArgumentTypeError otherwise."""
    value = count(text)
    if value == 0:
        raise argparse.ArgumentTypeError("at least 1 is needed")
    return value
