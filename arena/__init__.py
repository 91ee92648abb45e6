"""The web project: polls, votes, boards and the API around them."""

from arena.celery import app as celery_app

__all__ = ["celery_app"]
