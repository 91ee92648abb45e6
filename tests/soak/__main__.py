"""`make soak`: vote while everything is being killed, and see that nothing acknowledged is lost. Exit 1 if it is."""

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.site import Site
from tests.soak.database import postgres_database
from tests.soak.soaking import Plan, soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--writers", type=int, default=8, help="processes that vote (default 8)")
    parser.add_argument("--votes", type=int, default=1000, help="votes of each (default 1000)")
    parser.add_argument("--web-kills", type=int, default=100, help="SIGKILLs of web processes (default 100)")
    parser.add_argument("--worker-kills", type=int, default=20, help="SIGKILLs of the worker (default 20)")
    parser.add_argument("--limit", type=float, default=1800, help="seconds after which it is given up (default 1800)")
    parser.add_argument("--broker", default="redis://127.0.0.1:6379/15", help="the worker's queue (default Redis here)")
    options = parser.parse_args()
    plan = Plan(options.writers, options.votes, options.web_kills, options.worker_kills, seconds=options.limit)
    with TemporaryDirectory() as folder, postgres_database(f"arena_soak_{os.getpid()}") as url:
        queue = {"CELERY_BROKER_URL": options.broker, "ARENA_QUEUE": f"arena-soak-{os.getpid()}"}
        found = soak(Site(Path(folder), DATABASE_URL=url, **queue), plan)
    for name, value in found.items():
        print(f"{name:>24}  {value}")
    if found["faults"] or found["audit"]:
        print("BROKEN")
        return 1
    print("acknowledged = stored, standings = replay")
    return 0


if __name__ == "__main__":
    sys.exit(main())
