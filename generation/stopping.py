"""Ctrl-C that is not lost: an exception may be, in a library that catches what comes while it is being loaded."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def ctrl_c_remembered() -> Iterator[Callable[[], bool]]:
    """Within the block, SIGINT raises KeyboardInterrupt as ever, and what is yielded tells whether one came.

    It always answers no where Ctrl-C is ignored or handled by somebody else, and outside the main thread.
    """
    came = threading.Event()

    def interrupted(number: int, frame: FrameType | None) -> None:
        came.set()
        raise KeyboardInterrupt

    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not ours or threading.current_thread() is not threading.main_thread():
        yield came.is_set
        return
    signal.signal(signal.SIGINT, interrupted)
    try:
        yield came.is_set
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
