"""What the worker does for the booth. A message only names the row; the row says what there is to do."""

import random
from typing import Any

from celery import shared_task
from celery.signals import worker_ready

from arena.celery import queue_returned
from arena.votes import free_prompts


@shared_task(name="votes.render_free_prompt")
def render_free_prompt(token: str) -> None:
    """Render a typed prompt and prepare its matchup."""
    free_prompts.render(token, random.SystemRandom())


@worker_ready.connect
@queue_returned.connect
def resume_free_prompts(**_: Any) -> None:
    """Take up the prompts that an earlier worker left behind."""
    for token in free_prompts.resume_unfinished():
        render_free_prompt.delay(token)
