"""A caption's trace for people: what was drawn, and for every tag why it stays or goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from training import stages
from training.caption_config import CaptionConfig
from training.captions import Caption
from training.posts import Post
from training.sheets import groups_of

STAGES = {
    stages.FULL: "all tags (no level was drawn)",
    stages.TAG_DROPOUT: "each tag by itself, dropped with tag_dropout",
    stages.TEXT_ONLY: "a text alone, without tags",
    stages.UNCONDITIONAL: "emptied for classifier-free guidance",
}


def explain(post: Post, config: CaptionConfig, seed: int, epoch: int, made: Caption) -> dict[str, Any]:
    """The caption and its trace as plain JSON values; ``tags`` has a row for each tag: tag, group, kept, why."""
    trace = made.trace
    return {
        "post": post.id,
        "epoch": epoch,
        "seed": seed,
        "caption": made.text,
        "stage": trace.stage,
        "decided": dict(_decisions(post, config, made)),
        "tags": [
            {"tag": tag, "group": group, "kept": place in trace.places, "why": _why(made, place)}
            for place, (group, tag) in enumerate(_placed(post, config, made))
        ],
    }


def _placed(post: Post, config: CaptionConfig, made: Caption) -> list[tuple[str, str]]:
    number = any(tag.startswith("year_") for tag in made.trace.tags[-1:])
    groups = groups_of(post, config, year_number=number)
    return [(group, tag) for group, tags in groups.items() for tag in tags]


def _why(made: Caption, place: int) -> str:
    trace = made.trace
    if place in trace.protected:
        return "no-dropout token" if place in trace.places else "no-dropout token, but protect_in_uncond is off"
    if place in trace.safe and place in trace.places and trace.stage != stages.FULL:
        return "name protected this time"
    forms = dict(trace.paraphrased)
    if trace.tags[place] in forms and place in trace.places:
        return f"paraphrased: {forms[trace.tags[place]]}"
    return trace.stage


def _decisions(post: Post, config: CaptionConfig, made: Caption) -> Iterator[tuple[str, str]]:
    trace = made.trace
    yield "tags", _stage(config, made)
    yield "names", f"protected: {', '.join(trace.names_protected)}" if trace.safe else "as droppable as other tags"
    yield "paraphrase", ", ".join(f"{tag} as {form}" for tag, form in trace.paraphrased) or "none"
    yield "text", _text(post, trace.text)
    yield "register", ", ".join(trace.register) or "none"
    yield "separators", f"{trace.spaces} of them plain spaces" if trace.spaces else "commas"


def _stage(config: CaptionConfig, made: Caption) -> str:
    trace = made.trace
    if trace.stage in STAGES:
        return f"{STAGES[trace.stage]}; {len(trace.places)} of {len(trace.tags)} stay"
    level = config.named_levels[trace.stage]
    fixed = len({*trace.protected, *trace.safe})
    droppable = len(trace.tags) - fixed
    rule = f"min({droppable}, max({config.rounding}({level.share:g} x {droppable}), {level.least}))"
    return (
        f"{trace.stage}: {rule} = {len(trace.places) - fixed} of the {droppable} droppable tags, and {fixed} protected"
    )


def _text(post: Post, index: int) -> str:
    if index < 0:
        return "none drawn" if post.texts else "the post has none"
    return f"number {index + 1} of {len(post.texts)}"


def as_table(values: dict[str, Any]) -> Group:
    """The same for a terminal: the caption, the decisions, the tags group by group; dropped ones struck out."""
    title = Text(f"post {values['post']}, epoch {values['epoch']}, seed {values['seed']}", style="bold")
    decisions = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, text in values["decided"].items():
        decisions.add_row(Text(name, style="dim"), Text(text))
    tags = Table("group", "tag", "", "why", box=None, padding=(0, 2, 0, 0))
    last = ""
    for row in values["tags"]:
        style = "" if row["kept"] else "dim strike"
        mark = Text("kept", style="green") if row["kept"] else Text("dropped", style="yellow")
        tags.add_row(row["group"] if row["group"] != last else "", Text(row["tag"], style=style), mark, row["why"])
        last = row["group"]
    return Group(title, Text(values["caption"] or "(empty)", style="cyan"), Text(), decisions, Text(), tags)
