"""The tags of a data set: their categories, other names and counts; readers name every row that is wrong."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from generation.files import whole
from training.errors import UserError
from training.posts import CATEGORIES

CATEGORY_CODES = {"0": "general", "1": "artist", "3": "copyright", "4": "character", "5": "meta"}
COLUMNS = ("name", "category", "count")
FILE = "vocabulary.csv"  # of a prepared set
_REGISTER_LIKE = re.compile("[a-z0-9]{4,8}")
_COSPLAY = "_(cosplay)"  # a general tag that names a character's clothes: the same meaning, not another
_QUALIFIER = re.compile(r"_\([^()]*\)$")


@dataclass
class Vocabulary:
    """Tags with category and count; ``aliases`` leads from another name to the tag."""

    categories: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    def canonical(self, tag: str) -> str:
        """The tag that ``tag`` is another name of, or ``tag`` itself."""
        return tag if tag in self.categories else self.aliases.get(tag, tag)

    def sort(self, tags: Iterable[str], unknown: Callable[[str], None]) -> dict[str, tuple[str, ...]]:
        """Tags by category; those that are not in the vocabulary are told to ``unknown`` and count as general."""
        found: dict[str, list[str]] = {category: [] for category in CATEGORIES}
        for name in tags:
            tag = self.canonical(name)
            if tag not in self.categories:
                unknown(tag)
            found[self.categories.get(tag, "general")].append(tag)
        return {category: tuple(dict.fromkeys(members)) for category, members in found.items()}

    def add(self, category: str, counts: Mapping[str, int]) -> None:
        """Take in tags of one category with how many further posts have them; a tag keeps its first category."""
        for tag, count in counts.items():
            self.categories.setdefault(tag, category)
            self.counts[tag] = self.counts.get(tag, 0) + count

    def add_unused(self, other: Vocabulary) -> None:
        """Take in what ``other`` knows beside these tags, as tags of no post, and its other names."""
        for tag, category in other.categories.items():
            self.add(category, {tag: 0})
        self.aliases |= other.aliases


def read_vocabulary(path: Path, report: Callable[[str], None]) -> Vocabulary:
    """A CSV of name, category (0, 1, 3, 4, 5 or its word), count and, where there are any, aliases.

    Rows that are wrong are told to ``report`` and left out: an unknown category, a comma, a blank or nothing as
    the name (captions are split at commas), a count that is no number, a name that came before.

    Raises:
        UserError: the file cannot be read or has other columns.
    """
    vocabulary = Vocabulary()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise UserError(f"{path} lacks the column {missing[0]!r}: it needs {', '.join(COLUMNS)}")
            for row in rows:
                problem = _add(vocabulary, row)
                if problem:
                    report(f"{path} line {rows.line_num}: {problem}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"the vocabulary {path} cannot be read: {error}") from error
    return vocabulary


def write_vocabulary(path: Path, vocabulary: Vocabulary) -> None:
    """Write what `read_vocabulary` reads, the most used tags first."""
    names: dict[str, list[str]] = defaultdict(list)
    for alias, tag in vocabulary.aliases.items():
        names[tag].append(alias)
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow((*COLUMNS, "aliases"))
        for tag, count in sorted(vocabulary.counts.items(), key=lambda item: (-item[1], item[0])):
            rows.writerow((tag, vocabulary.categories[tag], count, ",".join(names[tag])))


def register_like(tags: Iterable[str]) -> frozenset[str]:
    """Those of the tags that a random register token could spell (`training.stages.register_tokens`)."""
    return frozenset(filter(_REGISTER_LIKE.fullmatch, tags))


def _add(vocabulary: Vocabulary, row: Mapping[str, str | None]) -> str:
    """Take in one row; what is wrong with it, or nothing."""
    name, category = row["name"] or "", CATEGORY_CODES.get(row["category"] or "", row["category"] or "")
    if not name or "," in name or name.split() != [name]:
        return f"{name!r} is no name of a tag: it must not be empty or hold commas or blanks"
    if category not in CATEGORIES:
        return f"{name}: unknown category {row['category']!r}, known are {', '.join(CATEGORY_CODES)}"
    if name in vocabulary.categories:
        return f"{name}: this name came before"
    if not (row["count"] or "").isdecimal():
        return f"{name}: the count {row['count']!r} is no number"
    vocabulary.categories[name], vocabulary.counts[name] = category, int(row["count"] or 0)
    for alias in filter(None, (row.get("aliases") or "").split(",")):
        vocabulary.aliases.setdefault(alias, name)
    return ""


def base_word(tag: str) -> str:
    """The tag without what tells it from others: ``doctor`` of ``doctor_(arknights)``."""
    shorter = _QUALIFIER.sub("", tag)
    return base_word(shorter) if shorter != tag and shorter else shorter or tag


def meanings(categories: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Words that are a concept and a name: base word to its tags, at least one general and one name among them.

    "Oftentimes, multiple meanings overlap with the same tokens" (section 3.1.1): a text encoder reads the word
    ``doctor`` in both ``doctor`` and ``doctor (arknights)``.
    """
    by_word: dict[str, list[str]] = defaultdict(list)
    for tag in categories:
        if not tag.endswith(_COSPLAY):
            by_word[base_word(tag)].append(tag)
    return {
        word: tuple(sorted(tags)) for word, tags in sorted(by_word.items()) if _has_both({categories[t] for t in tags})
    }


def _has_both(found: set[str]) -> bool:
    return "general" in found and not found.isdisjoint({"character", "copyright", "artist"})
