"""Fills a migrated database with one open duel: contestants with checkpoints that a worker can read, and images.

Run as `python -m tests.soak.prepare FOLDER PROMPTS` in the site's environment.
"""

import sys
from pathlib import Path

import django

django.setup()

from arena.gallery.models import Checkpoint, Contestant  # noqa: E402
from generation.tiny import write_tiny_checkpoint  # noqa: E402
from tests.arena.votes.building import enrol, make_contestant, make_poll  # noqa: E402

CONTESTANTS = 4


def contestant(folder: Path, epoch: int) -> Contestant:
    """One whose weights lie in a folder of its own."""
    made = make_contestant(epoch, "soak")
    written = write_tiny_checkpoint(folder / str(epoch), seed=1, epoch=epoch, run="soak")
    Checkpoint.objects.filter(pk=made.checkpoint_id).update(folder=str(folder / str(epoch)), sha256=written.sha256)
    made.checkpoint.refresh_from_db()
    return made


def main() -> None:
    folder, prompts = Path(sys.argv[1]), int(sys.argv[2])
    poll = make_poll("duel", prompts)
    enrol(poll, *(contestant(folder, epoch) for epoch in range(1, CONTESTANTS + 1)))


if __name__ == "__main__":
    main()
