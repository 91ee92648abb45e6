"""Outcomes in, standings out: pure numbers that know nothing of the web.

`outcomes` reads what a vote says, `game` is a vote as the maths sees it, `elo` and `trueskill` are rating systems
behind the protocol of `systems`, `tally` counts what needs no rating system.
"""
