"""The arena's settings for tests: everything it writes goes to a fresh folder, the queue stays in memory."""

import os
import tempfile

os.environ["ARENA_HOME"] = tempfile.mkdtemp(prefix="arena-test-")
os.environ["CELERY_BROKER_URL"] = "memory://"
os.environ["ARENA_API_TOKEN"] = "token-of-the-tests"

from arena.settings import *

# Every test's browser has the same address.
ARENA_TICKETS_PER_MINUTE = 0
# Tests answer at once and without a pause; those of screening set their own limits.
ARENA_MIN_ANSWER_MS = ARENA_SCREEN_VOTES_PER_MINUTE = 0
