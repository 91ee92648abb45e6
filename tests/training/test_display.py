"""What a person sees of a run: one line of what is known, and no more."""

from io import StringIO

import pytest
from rich.console import Console

from training.display import TerminalDisplay, describe
from training.hooks import Progress

WHOLE = Progress("named", "training", 1, 4, 10, 400, loss=0.5, images_per_s=100.04, eta_s=62.5, raw_loss=0.25,
                 rate=1e-3, data_wait=0.021, mfu=0.4)  # fmt: skip


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (WHOLE, "step 10/400, loss 0.5000 (raw 0.2500), rate 1.00e-03, 100.0 img/s, data 2.1%, MFU 40.0%, 1:02 left"),
        (Progress("named", "training", 1, 4, 0, 400), "step 0/400"),
        (Progress("named", "stopped", 1, 4, 7, 400, message="why"), "step 7/400, stopped, why"),
    ],
)
def test_a_line_has_what_is_known(progress: Progress, line: str) -> None:
    assert describe(progress) == line


def test_without_a_terminal_there_is_a_line_for_every_message() -> None:
    out = StringIO()
    with TerminalDisplay(Console(file=out, force_terminal=False, width=200)) as display:
        display.step(WHOLE)
        display.step(WHOLE)  # too soon after the line before
        display.step(Progress("named", "training", 1, 4, 100, 400, message="epoch 1 saved"))
    assert out.getvalue().splitlines() == [f"epoch 1/4 {describe(WHOLE)}", "epoch 1/4 step 100/400, epoch 1 saved"]
