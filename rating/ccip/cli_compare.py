"""`python -m rating ccip compare`: is one checkpoint nearer to the characters than another, and how sure is that?"""

from argparse import Namespace
from dataclasses import asdict
from typing import Any

from rating.ccip.command import INCOMPLETE, say, show, show_json
from rating.ccip.comparing import PairedDifference, compare
from rating.ccip.report import read_score


def run(options: Namespace) -> int:
    """Print one row for each pair and measure; 3 where images are missing and that is not allowed. Raises CCIPError."""
    scores = [read_score(path) for path in options.scores]
    found = compare(scores, level=options.level, resamples=options.resamples, seed=options.seed)
    if options.format == "json":
        show_json([asdict(one) for one in found])
    else:
        show([_row(one) for one in found], f"B less A, paired by image, {100 * options.level:g} % over characters")
        print("difference: lower is better; same_rate: higher is better; p_holm is corrected for all pairs")
    dropped = {(one.a, one.b): one.dropped for one in found if one.dropped}
    for (a, b), keys in dropped.items():
        say(f"incomplete: {len(keys)} images that only one of {a} and {b} has are left out of both")
    lacking = [one for one in scores if not one.complete]
    for one in lacking:
        say(f"incomplete: {one.checkpoint} lacks {len(one.missing)} images")
    return INCOMPLETE if lacking and not options.allow_missing else 0


def _row(one: PairedDifference) -> dict[str, Any]:
    verdict = {"A": one.a, "B": one.b}.get(one.verdict, one.verdict)
    return {**asdict(one), "dropped": len(one.dropped), "verdict": verdict}
