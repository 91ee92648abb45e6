"""The report as one HTML file that needs nothing else: no script, no network, light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

from generation.tags import QUALITIES, RATINGS
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
    style = resources.files("training").joinpath("report.css").read_text("utf-8")
    title = f"Data set {Path(values['set']).name}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>"
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


def _section(heading: str, intro: str, *parts: str) -> str:
    return f"<section><h2>{escape(heading)}</h2><p>{escape(intro)}</p>{''.join(parts)}</section>"


def _figure(caption: str, picture: str) -> str:
    return f"<figure>{_caption(caption)}{picture}</figure>"


def _caption(words: str) -> str:
    return f"<figcaption>{escape(words)}</figcaption>"


def _figures(*figures: str) -> str:
    return f'<div class="figures">{"".join(figures)}</div>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _folded(summary: str, inner: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{inner}</details>"


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
    cells = "".join(f"<li><b>{escape(value)}</b><span>{escape(name)}</span></li>" for value, name in facts)
    notes = []
    if values["synthetic_fields"]:
        notes.append(f"Given by no person: {', '.join(values['synthetic_fields'])}.")
    if values["synthetic_posts"]:
        notes.append(f"{number(values['synthetic_posts'])} posts are synthetic: rendered by a checkpoint.")
    note = f'<p class="note">{escape(" ".join(notes))}</p>' if notes else ""
    return f'<header><h1>{escape(Path(values["set"]).name)}</h1><ul class="facts">{cells}</ul>{note}</header>'


def _removed(values: dict[str, Any]) -> str:
    reasons, rows = values["reasons"], values["removed"]
    if not reasons:
        return _section("Left out", "Nothing was left out.")
    table = _table(
        ("post", "file", "reason", "why"),
        ((row["post"] or "", row["file"], row["reason"], row["detail"]) for row in rows[:SHOWN]),
    )
    total = sum(reasons.values())
    twice = values["duplicates"]
    more = f"The first {SHOWN} of {number(total)}" if total > SHOWN else "All"
    figure = _figure("posts by reason", single_bars(list(reasons.items()), "posts left out, by reason"))
    where = "All of them stand in parts/*/removed.jsonl."
    return _section(
        "Left out",
        f"Each post has one reason. {where} {number(twice['ids'])} posts came with an id, and {number(twice['files'])} "
        "with a file, that a post before had.",
        _figures(figure),
        _folded(f"{more} by name", table),
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
    quality = [(name, targets.get(name, 0.0), after) for name, _, after in pairs("qualities", QUALITIES)]
    return _section(
        "Before and after",
        "The thick bar is the share after, the thin one before. An imbalance of the source stays an imbalance here: "
        "persons are the tags that count them.",
        _figures(
            _figure("persons", paired_bars(pairs("persons", PERSONS), "share of posts by persons", 90)),
            _figure("content rating", paired_bars(pairs("ratings", RATINGS.values()), "share by content rating", 110)),
            _figure("year of the post", columns(years, "posts by year")),
            _figure(
                "quality; thin: the share that the cuts stand for", paired_bars(quality, "share by quality tag", 130)
            ),
        ),
    )


def _tags(values: dict[str, Any]) -> str:
    rows = [(row["tag"], row["share_before"], row["share_after"]) for row in values["top_tags"]]
    half = -(-len(rows) // 2)
    seen = values["never_seen"]
    lists = []
    if seen["lost"]:
        lists.append(_folded(f"{number(seen['lost'])} tags that only posts left out had", _words_of(seen["lost_tags"])))
    if seen["absent"]:
        lists.append(
            _folded(f"{number(seen['absent'])} tags of the vocabulary in no post", _words_of(seen["absent_tags"]))
        )
    return _section(
        "Tags",
        "The most used tags, by share of posts. Tags never seen cannot be learned.",
        _figures(
            _figure("most used", paired_bars(rows[:half], "most used tags")),
            _figure("next", paired_bars(rows[half:], "further tags")) if rows[half:] else "",
        ),
        *lists,
    )


def _words_of(tags: Sequence[str]) -> str:
    return f'<p class="words">{escape(", ".join(tags))}</p>'


def _buckets(values: dict[str, Any]) -> str:
    figures = []
    for row in values["buckets"]:
        fill = [(one["width"], one["height"], one["pictures"]) for one in row["fill"]]
        *edges, last, _ = row["lost_edges"]
        names = [*(f"{100 * low:g}-{100 * high:g} %" for low, high in pairwise((*edges, last))), f"{100 * last:g}+ %"]
        lost = [(name, 0.0, float(count)) for name, count in zip(names, row["lost"], strict=True)]
        title = f"{row['megapixels']:g} MP: {number(row['pictures'])} pictures, {percent(row['share'])} of all"
        detail = (
            f"cut off: {percent(row['mean_lost'])} on average, {percent(row['worst_lost'])} at worst; "
            f"{number(row['enlarged'])} pictures grow"
        )
        figures.append(_figure(title, bubbles(fill, title) + _caption(detail) + columns(lost, detail, 430, 150)))
    parts = [f'<div class="figures three">{"".join(figures)}</div>']
    left = values["left_out_of_buckets"]
    if left["pictures"]:
        rows = ((one["post"], one["file"], one["size"]) for one in left["named"][:SHOWN])
        parts.append(
            _folded(f"{number(left['pictures'])} pictures that fit no bucket", _table(("post", "file", "size"), rows))
        )
    return _section("Buckets", "Each disc is one size; its area is the number of pictures trained at it.", *parts)


def _captions(values: dict[str, Any]) -> str:
    found = values["captions"]
    curve = [(row["tags"], row["kept"], row["expected"], row["captions"]) for row in found["kept"]]
    examples = _table(("post", "caption"), ((row["post"], row["caption"] or "(empty)") for row in found["examples"]))
    intro = (
        f"{number(found['captions'])} captions of {number(found['posts'])} posts with the settings {found['config']}, "
        f"{found['epochs']} epochs. {_counting(found)}"
    )
    empty = found["tokens"][0] if found["tokens"] else 0
    stages = [(name, float(count)) for name, count in found["stages"].items()]
    return _section(
        "Captions",
        intro,
        _figures(
            _figure(
                f"{_counted(found)} of a caption; {number(empty)} are empty",
                histogram(found["tokens"], found["limit"], f"{_counted(found)} of a caption"),
            ),
            _figure("tags kept: discs measured, line expected", kept_curve(curve, "tags kept by tags of the post")),
            _figure("what decided a caption's tags", single_bars(stages, "captions by stage", "after")),
        ),
        _folded("Examples of epoch 0", examples),
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
        return _section("Words of two meanings", "No word of this set is both a concept and a name.")
    repairs = _folded("Repairs", _table(("change", "posts"), values["repairs"].items())) if values["repairs"] else ""
    heads = ("word", "tag", "posts", "unfocused", "1boy alone")
    more = _folded(f"{len(rows) - FIRST_ROWS} more", _table(heads, rows[FIRST_ROWS:SHOWN])) if rows[FIRST_ROWS:] else ""
    return _section(
        "Words of two meanings",
        "Words that are both a concept and a name. Unfocused: several persons, or few tags, so that the picture cannot "
        "show which is meant. Rules under [repair] remove or rename them.",
        _table(heads, rows[:FIRST_ROWS]),
        more,
        repairs,
    )


def _problems(values: dict[str, Any]) -> str:
    if not values["problem_kinds"]:
        return _section("Problems", "No post lacked anything.")
    kinds = _table(("problem", "posts"), values["problem_kinds"].items())
    rows = ((row["post"] or "", row["where"], row["problem"]) for row in values["problems"][:SHOWN])
    return _section(
        "Problems",
        "What posts lacked; those that stayed do without it. All stand in parts/*/problems.jsonl.",
        kinds,
        _folded("Posts that stayed, by name", _table(("post", "where", "problem"), rows)),
    )


def _manifest(values: dict[str, Any]) -> str:
    return _section("Made by", values["manifest"]["command"])
