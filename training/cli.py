"""``python -m training VERB``: a table of verbs, each imported only when it is chosen.

The verbs that need no torch (``dataset``) therefore never load it.
"""

import difflib
import sys
from collections.abc import Sequence
from pkgutil import resolve_name

from training.errors import UserError

COMMANDS: dict[str, str] = {
    "dataset": "training.dataset.cli:main",
    "prepare": "training.prepare_cli:main",
    "report": "training.report_cli:main",
    "synthetic": "training.synthetic_cli:main",
    "explain-caption": "training.explain_cli:main",
    "base": "training.base_cli:main",
    "train": "training.train_cli:main",
    "resume": "training.resume_cli:main",
    "samples": "training.samples_cli:main",
    "lora": "training.lora_cli:main",
    "leco": "training.leco_cli:main",
    "convert": "training.convert_cli:main",
    "attributes": "training.attributes_cli:main",
    "ccip": "training.ccip.cli:main",
}
SUMMARIES: dict[str, str] = {
    "dataset": "render the demo data set, or a contact sheet of one",
    "prepare": "prune, rank and write posts for training",
    "report": "a run, or what a prepared data set holds and what was left out, as a page",
    "synthetic": "render posts for what a prepared data set shows too rarely",
    "explain-caption": "show how the caption of one post in one epoch comes about",
    "base": "train the tiny base from nothing",
    "train": "fine-tune a base, one checkpoint per epoch",
    "resume": "go on with a run, by its folder alone",
    "samples": "the same prompts and seeds by every epoch, as one picture",
    "lora": "train a LoRA on a base, one file per epoch",
    "leco": "erase or enhance a concept by a LoRA, without pictures",
    "convert": "a checkpoint as folder or single file, with LoRAs or without",
    "attributes": "train and measure the attribute check of rendered images",
    "ccip": "train and measure the small character encoder",
}


def usage() -> str:
    """The help text: one line per verb."""
    width = max(len(verb) for verb in COMMANDS)
    lines = [f"  {verb:<{width}}  {SUMMARIES[verb]}" for verb in COMMANDS]
    return "\n".join(
        [
            "usage: python -m training VERB [options]",
            "",
            "verbs:",
            *lines,
            "",
            "`python -m training VERB --help` lists the options of a verb.",
        ]
    )


def main(argv: Sequence[str]) -> int:
    """Run one verb and return its exit status: 0 done, 1 a user error, 2 wrong usage, 130 interrupted."""
    if not argv or argv[0] in {"-h", "--help"}:
        print(usage())
        return 0 if argv else 2
    verb, *rest = argv
    if verb not in COMMANDS:
        near = difflib.get_close_matches(verb, COMMANDS, n=1, cutoff=0.0)[0]
        print(f"unknown verb {verb!r}: did you mean {near!r}? `python -m training --help` lists all", file=sys.stderr)
        return 2
    try:
        return int(resolve_name(COMMANDS[verb])(rest))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
