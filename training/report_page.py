"""The report on a data set as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

from generation.tags import QUALITIES, RATINGS
from training.page import caption, figure, figures, folded, header, section, table, whole_page
from training.plots import (
    bubbles,
    columns,
    histogram,
    kept_curve,
    number,
    paired_bars,
    percent,
    single_bars,
)

SHOWN = 300
FIRST_ROWS = 16
PERSONS = ("1girl", "1boy", "1other", "several", "nobody")


def page(values: dict[str, Any]) -> str:
    """The page of `training.report.gather`'s values."""
    sections = [
        _headline(values),
        _removed(values),
        _shares(values),
        _tags(values),
        _buckets(values),
        _captions(values),
        _words(values),
        _problems(values),
        _manifest(values),
    ]
    return whole_page(f"Data set {Path(values['set']).name}", sections)


def _headline(values: dict[str, Any]) -> str:
    manifest, captions = values["manifest"], values["captions"]
    given = manifest["posts"] + manifest["removed"]
    facts = [
        (number(manifest["posts"]), "posts to train on"),
        (number(manifest["removed"]), f"left out, {percent(manifest['removed'] / max(1, given))} of {number(given)}"),
        (number(values["resized"]), "pictures made smaller"),
        (number(values["left_out_of_buckets"]["pictures"]), "pictures that fit no bucket"),
        (percent(captions["truncated_share"]), f"captions beyond {captions['limit']} {_counted(captions)}"),
        (f"{captions['mean_kept']:.1f}", f"tags a caption, {captions['mean_expected']:.1f} expected"),
    ]
    notes = []
    if values["synthetic_fields"]:
        notes.append(f"Given by no person: {', '.join(values['synthetic_fields'])}.")
    if values["synthetic_posts"]:
        notes.append(f"{number(values['synthetic_posts'])} posts are synthetic: rendered by a checkpoint.")
    return header(Path(values["set"]).name, facts, " ".join(notes))


def _removed(values: dict[str, Any]) -> str:
    reasons, rows = values["reasons"], values["removed"]
    if not reasons:
        return section("Left out", "Nothing was left out.")
    rows_shown = table(
        ("post", "file", "reason", "why"),
        ((row["post"] or "", row["file"], row["reason"], row["detail"]) for row in rows[:SHOWN]),
    )
    total = sum(reasons.values())
    twice = values["duplicates"]
    more = f"The first {SHOWN} of {number(total)}" if total > SHOWN else "All"
    bars = figure("posts by reason", single_bars(list(reasons.items()), "posts left out, by reason"))
    sizes = [(key, row["before"], row["after"]) for key, row in values["shares"]["megapixels"].items()]
    areas = figure("pictures by megapixels: pale what came, full what stayed", columns(sizes, "pictures by megapixels"))
    where = "All of them stand in parts/*/removed.jsonl."
    return section(
        "Left out",
        f"Each post has one reason. {where} {number(twice['ids'])} posts came with an id, and {number(twice['files'])} "
        "with a file, that a post before had.",
        figures(bars, areas),
        folded(f"{more} by name", rows_shown),
    )


def _ordered(shares: dict[str, dict[str, float]], first: Iterable[str]) -> list[str]:
    known = [name for name in first if name in shares]
    return known + [name for name in shares if name not in known]


def _shares(values: dict[str, Any]) -> str:
    shares = values["shares"]

    def pairs(name: str, first: Iterable[str]) -> list[tuple[str, float, float]]:
        found = shares[name]
        return [(key, found[key]["share_before"], found[key]["share_after"]) for key in _ordered(found, first)]

    years = [(key, row["before"], row["after"]) for key, row in shares["years"].items()]
    cuts = (0.0, *values["manifest"]["prepare"]["quality"]["cuts"], 100.0)
    targets = {name: (high - low) / 100 for name, (low, high) in zip(QUALITIES, pairwise(cuts), strict=True)}
    quality = pairs("qualities", QUALITIES)
    marks = [targets.get(name, 0.0) for name, *_ in quality]
    return section(
        "Before and after",
        "The thick bar is the share after, the thin one before. An imbalance of the source stays an imbalance here: "
        "persons are the tags that count them.",
        figures(
            figure("persons", paired_bars(pairs("persons", PERSONS), "share of posts by persons", 90)),
            figure("content rating", paired_bars(pairs("ratings", RATINGS.values()), "share by content rating", 110)),
            figure("year of the post", columns(years, "posts by year")),
            figure(
                "quality; the line: the share that the cuts stand for",
                paired_bars(quality, "share by quality tag", 130, marks=marks),
            ),
        ),
    )


def _tags(values: dict[str, Any]) -> str:
    rows = [(row["tag"], row["share_before"], row["share_after"]) for row in values["top_tags"]]
    half = -(-len(rows) // 2)
    most = max([max(before, after) for _, before, after in rows], default=0.0)
    seen = values["never_seen"]
    lists = []
    if seen["lost"]:
        lists.append(folded(f"{number(seen['lost'])} tags that only posts left out had", _words_of(seen["lost_tags"])))
    if seen["absent"]:
        lists.append(
            folded(f"{number(seen['absent'])} tags of the vocabulary in no post", _words_of(seen["absent_tags"]))
        )
    return section(
        "Tags",
        "The most used tags, by share of posts. Tags never seen cannot be learned.",
        figures(
            figure("most used", paired_bars(rows[:half], "most used tags", most=most)),
            figure("next", paired_bars(rows[half:], "further tags", most=most)) if rows[half:] else "",
        ),
        *lists,
    )


def _words_of(tags: Sequence[str]) -> str:
    return f'<p class="words">{escape(", ".join(tags))}</p>'


def _buckets(values: dict[str, Any]) -> str:
    found = []
    for row in values["buckets"]:
        fill = [(one["width"], one["height"], one["pictures"]) for one in row["fill"]]
        *edges, last, _ = row["lost_edges"]
        names = [*(f"{100 * low:g}-{100 * high:g} %" for low, high in pairwise((*edges, last))), f"{100 * last:g}+ %"]
        lost = [(name, 0.0, float(count)) for name, count in zip(names, row["lost"], strict=True)]
        title = f"{row['megapixels']:g} MP: {number(row['pictures'])} pictures, {percent(row['share'])} of all"
        full = max(row["fill"], key=lambda one: one["pictures"])
        empty = sum(1 for one in row["fill"] if not one["pictures"])
        filled = (
            f"fullest: {full['width']} x {full['height']} with {number(full['pictures'])}; "
            f"{empty} of {len(row['fill'])} sizes have none"
        )
        detail = (
            f"cut off: {percent(row['mean_lost'])} on average, {percent(row['worst_lost'])} at worst; "
            f"{number(row['enlarged'])} pictures grow"
        )
        found.append(
            figure(title, bubbles(fill, title) + caption(filled) + caption(detail) + columns(lost, detail, 430, 150))
        )
    parts = [f'<div class="figures three">{"".join(found)}</div>']
    left = values["left_out_of_buckets"]
    if left["pictures"]:
        rows = ((one["post"], one["file"], one["size"]) for one in left["named"][:SHOWN])
        parts.append(
            folded(f"{number(left['pictures'])} pictures that fit no bucket", table(("post", "file", "size"), rows))
        )
    return section("Buckets", "Each disc is one size; its area is the number of pictures trained at it.", *parts)


def _captions(values: dict[str, Any]) -> str:
    found = values["captions"]
    curve = [(row["tags"], row["kept"], row["expected"], row["captions"]) for row in found["kept"]]
    examples = table(("post", "caption"), ((row["post"], row["caption"] or "(empty)") for row in found["examples"]))
    intro = (
        f"{number(found['captions'])} captions of {number(found['posts'])} posts with the settings {found['config']}, "
        f"{found['epochs']} epochs. {_counting(found)}"
    )
    empty = found["tokens"][0] if found["tokens"] else 0
    stages = [(name, float(count)) for name, count in found["stages"].items()]
    groups = [(name, 0.0, row["kept"] / row["tags"]) for name, row in found["groups"].items()]
    return section(
        "Captions",
        intro,
        figures(
            figure(
                f"{_counted(found)} of a caption; {number(empty)} are empty",
                histogram(found["tokens"], found["limit"], f"{_counted(found)} of a caption"),
            ),
            figure("tags kept: discs measured, line expected", kept_curve(curve, "tags kept by tags of the post")),
            figure("what decided a caption's tags", single_bars(stages, "captions by stage", "after")),
            figure("how often a tag stays, by its group", paired_bars(groups, "tags kept by group", 90, most=1.0)),
        ),
        folded("Examples of epoch 0", examples),
    )


def _counted(captions: dict[str, Any]) -> str:
    return "tokens" if captions["exact"] else "words"


def _counting(captions: dict[str, Any]) -> str:
    """Who counts, and what the number is worth."""
    if captions["exact"]:
        return f"Tokens by {captions['tokenizer']}, begin and end aside."
    return (
        f"Words, digits and signs are counted: a caption has at least as many tokens, and SDXL reads "
        f"{captions['limit']}. Named to this command, a checkpoint's tokenizer counts exactly."
    )


def _words(values: dict[str, Any]) -> str:
    rows = [
        (row["word"], one["tag"], number(one["posts"]), number(one["unfocused"]), percent(one["boy"] / one["posts"]))
        for row in values["ambiguous"]
        for one in row["tags"]
    ]
    if not rows:
        return section("Words of two meanings", "No word of this set is both a concept and a name.")
    repairs = folded("Repairs", table(("change", "posts"), values["repairs"].items())) if values["repairs"] else ""
    heads = ("word", "tag", "posts", "unfocused", "1boy alone")
    more = folded(f"{len(rows) - FIRST_ROWS} more", table(heads, rows[FIRST_ROWS:SHOWN])) if rows[FIRST_ROWS:] else ""
    return section(
        "Words of two meanings",
        "Words that are both a concept and a name. Unfocused: several persons, or few tags, so that the picture cannot "
        "show which is meant. Rules under [repair] remove or rename them.",
        table(heads, rows[:FIRST_ROWS]),
        more,
        repairs,
    )


def _problems(values: dict[str, Any]) -> str:
    if not values["problem_kinds"]:
        return section("Problems", "No post lacked anything.")
    kinds = table(("problem", "posts"), values["problem_kinds"].items())
    rows = ((row["post"] or "", row["where"], row["problem"]) for row in values["problems"][:SHOWN])
    return section(
        "Problems",
        "What posts lacked; those that stayed do without it. All stand in parts/*/problems.jsonl.",
        kinds,
        folded("Posts that stayed, by name", table(("post", "where", "problem"), rows)),
    )


def _manifest(values: dict[str, Any]) -> str:
    return section("Made by", values["manifest"]["command"])
