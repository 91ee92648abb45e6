"""The Celery application. Jobs live in the project's own tables; a message only says that there is work."""

import os
from typing import Any

from celery import Celery
from celery.signals import celeryd_init

from arena.checks import refuse_wrong_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arena.settings")

app = Celery("arena")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
def refuse(**_: Any) -> None:
    """A worker with wrong settings says so and ends."""
    refuse_wrong_settings(1)
