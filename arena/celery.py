"""The Celery application. Jobs live in the project's own tables; a message only says that there is work."""

import os
from typing import Any

from celery import Celery, bootsteps
from celery.signals import celeryd_init
from celery.utils.dispatch import Signal

from arena.checks import refuse_wrong_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arena.settings")

app = Celery("arena")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Sent in the worker when the queue is there again after it was lost; whoever has unfinished rows sends them anew.
queue_returned = Signal(name="queue_returned")


class Return(bootsteps.StartStopStep):
    """A part of the worker that starts with every connection: from the second on, the queue has returned.

    Messages of the time between may be lost, with the queue's memory or because nobody could send them.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        self.connected_before = False
        super().__init__(consumer, **options)

    def start(self, consumer: Any) -> None:
        """Called with every connection."""
        if self.connected_before:
            queue_returned.send(sender=consumer.hostname)
        self.connected_before = True


app.steps["consumer"].add(Return)


@celeryd_init.connect
def refuse(**_: Any) -> None:
    """A worker with wrong settings says so and ends."""
    refuse_wrong_settings(1)
