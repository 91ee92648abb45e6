"""The data card of an export as a page to read: Markdown whose head holds the same facts for programs."""

import json
from collections.abc import Mapping
from typing import Any

CONTENT = """
# Votes of an Illustration Arena

{votes} blind votes by {voters} {population} on images of {contestants} contestants, {first} to {last}.
Each line is one vote: contestants in the order shown, and what was answered. Names were revealed after the vote only.

## Composition
{outcomes}

Votes that the arena's boards do not count are left out: {left_out}.

## Collection
A voter sees two or four images of one prompt and one seed, rendered by the same recipe, in random order, and answers
once. `rule` names the rule that chose the matchup, so that unequal sampling can be corrected for.

## Privacy
`voter` is a keyed hash. Its key was made for this export and thrown away: it tells the voters of this file apart, and
leads neither back to a person nor to another export. No address, no account and no text that a voter typed is in it.

## Use
`python -m rating fit` rates the file, `manage.py import_votes` shows it as a board of another arena. Votes of one voter
are not independent: cluster by voter. `bad` and `skip` are no ties. Votes show the taste of this site's visitors.

## Columns
| column | holds |
|---|---|
{columns}

## Contestants
| name | run | epoch | checkpoint | licence |
|---|---|---|---|---|
{rows}
"""


def as_markdown(card: Mapping[str, Any]) -> str:
    """The card (arena.leaderboard.exporting.card); every line of its head is YAML and JSON alike."""
    head = "\n".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in card.items())
    counts = [f"- {number} {name}" for name, number in card["outcomes"].items()]
    polls = [f"- {number} in the poll {name}" for name, number in card["polls"].items()]
    return (
        f"---\n{head}\n---\n"
        + CONTENT.format(
            votes=card["votes"],
            voters=card["voters"],
            population="simulated voters" if card["population"] == "simulated" else "people",
            contestants=len(card["contestants"]),
            first=card["first"] or "never",
            last=card["last"] or "never",
            outcomes="\n".join([*counts, *polls]),
            left_out=", ".join(f"{number} {state}" for state, number in card["left_out"].items()),
            columns="\n".join(f"| `{name}` | {_cell(meaning)} |" for name, meaning in card["columns"].items()),
            rows="\n".join(_contestant(one) for one in card["contestants"]),
        ).lstrip()
    )


def _contestant(one: Mapping[str, Any]) -> str:
    sha12 = one["checkpoint_sha256"][:12]
    return f"| {_cell(one['name'])} | {_cell(one['run'])} | {one['epoch']} | `{sha12}` | {_cell(one['licence'])} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
