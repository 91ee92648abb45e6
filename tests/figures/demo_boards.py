"""Writes docs/demo-boards.md from a finished demo: `python -m tests.figures.demo_boards [HOME]` (var/ without it).

It works on a copy of the demo's database, in which simulated voters vote first; the demo stays as it is.
"""

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.site import ROOT, Site

PAGE, TREND = ROOT / "docs" / "demo-boards.md", ROOT / "docs" / "pictures" / "demo-trend.svg"
VOTERS, VOTES = 12, 20
METRICS = ("trueskill", "elo", "elo-twa", "joint", "winrate")
OWN = ("contestant_id", "run", "epoch", "step", "checkpoint", "lineage", "licence", "exposure",
       "previous_epoch", "change", "change_error", "contestant")  # fmt: skip
TEXT = """# Boards of the demo
What a researcher sees after `make demo`. The demo has {contestants} contestants: four checkpoints of the base, and the
epochs of a fine-tuning on characters that the base has never seen. {votes} votes were cast by {voters} simulated voters
(`{simulate}`), who prefer what was trained longer; they are on boards of their own.
`python -m tests.figures.demo_boards` makes this page from a finished demo.

## As a table
`{table_command}`

```
{table}
```

## As Markdown
`{markdown_command}`

{markdown}

## As CSV
`{csv_command}`

```
{csv}
```

## As JSON
`{json_command}`: {rows} rows, the first one of them

```json
{json}
```

## The trend of the epochs
`{trend_command}`, drawn and as numbers

![Gain of each epoch on the base it started from](pictures/demo-trend.svg)

```
{trend}
```

## Which epoch is the best
`{compare_command}`

```
{compare}
```

## Read back
`{export_command}`, then `{import_command}`: on the boards
{metrics}, all {compared} numbers of the imported votes are those of the arena, bit for bit.
"""


def main(home: Path) -> None:
    """Vote in a copy of the demo, ask every command, and write the page."""
    with TemporaryDirectory() as folder:
        copied = Path(folder) / "arena.sqlite3"
        with closing(sqlite3.connect(home / "arena.sqlite3")) as source, closing(sqlite3.connect(copied)) as target:
            source.backup(target)
        site = Site(Path(folder))
        site.manage("migrate", "-v0")
        lines = [line.rstrip() for line in page(site).splitlines()]
        PAGE.write_text("\n".join([*lines, ""]), encoding="utf-8")


def page(site: Site) -> str:
    """The page, with the picture written beside."""
    simulate = f"simulate_voters --count {VOTERS} --votes {VOTES}"
    site.manage(*simulate.split())
    board = "leaderboard --population simulated"
    commands = {
        "table": board,
        "markdown": f"{board} --metric joint --poll duel --format markdown",
        "csv": f"{board} --metric winrate --format csv",
        "json": f"{board} --metric elo-twa --format json",
    }
    said = {name: site.manage(*command.split()).rstrip() for name, command in commands.items()}
    rows = json.loads(said["json"])
    base = next(row["lineage"][-1] for row in rows if row["lineage"])
    run = next(row["run"] for row in rows if row["lineage"])
    trend = ["figure", "trend", "--population", "simulated", "--run", run]
    drawn = [*trend, "--out", str(TREND.relative_to(ROOT))]
    site.manage(*drawn)
    compare = ["compare", "--population", "simulated", "--reference", base, "--run", run]
    said["json"] = json.dumps(rows[0], indent=2, ensure_ascii=False)
    return TEXT.format(
        **said,
        **{f"{name}_command": shell(command.split()) for name, command in commands.items()},
        simulate=shell(simulate.split()),
        contestants=len(rows),
        votes=3 * VOTERS * VOTES,
        voters=VOTERS,
        rows=len(rows),
        trend_command=shell(drawn),
        trend=site.manage(*trend, "--format", "csv").rstrip(),
        compare_command=shell(compare),
        compare=site.manage(*compare).rstrip(),
        export_command="python manage.py export_votes votes.csv --population simulated",
        import_command="python manage.py import_votes votes.csv --board demo",
        metrics=", ".join(f"`{metric}`" for metric in METRICS),
        compared=read_back(site),
    )


def shell(words: list[str]) -> str:
    """The command as it is typed."""
    return " ".join(["python manage.py", *(f"'{word}'" if " " in word else word for word in words)])


def read_back(site: Site) -> int:
    """How many numbers of the exported and imported votes were compared with the arena's own; AssertionError for one
    that differs.
    """
    file, compared = site.home / "votes.csv", 0
    site.manage("export_votes", str(file), "--population", "simulated")
    site.manage("import_votes", str(file), "--board", "demo")
    for metric in METRICS:
        asked = ("leaderboard", "--metric", metric, "--format", "json")
        own = json.loads(site.manage(*asked, "--population", "simulated"))
        read = json.loads(site.manage(*asked, "--board", "demo"))
        names = {f"{row['contestant_id']} {row['contestant']}": numbers(row) for row in own}
        assert {row["contestant"]: numbers(row) for row in read} == names, metric
        compared += sum(len(row) for row in names.values())
    return compared


def numbers(row: dict[str, object]) -> dict[str, object]:
    """What the votes alone make of a row."""
    return {name: value for name, value in row.items() if name not in OWN}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "var")
