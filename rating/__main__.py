"""`python -m rating`: ratings of a vote file, without the arena."""

import signal
import sys
from types import FrameType

STOPPED = 128 + signal.SIGINT
interrupts: list[int] = []


def _interrupted(number: int, frame: FrameType | None) -> None:
    interrupts.append(number)
    raise KeyboardInterrupt


if __name__ == "__main__":
    # Unless whoever started us has Ctrl-C ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)
    try:
        # Imported in here, as Ctrl-C may come at any time.
        from rating.cli import main

        code = main(sys.argv[1:])
    except BaseException:
        # Not KeyboardInterrupt alone: numpy makes an ImportError of one that comes while it is imported.
        if not interrupts:
            raise
        print("stopped", file=sys.stderr)
        code = STOPPED
    sys.exit(code)
