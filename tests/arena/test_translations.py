"""Every text of the pages is there in Japanese and Korean, and the compiled files are those of the written ones."""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
ARENA = ROOT / "arena"
LANGUAGES = ["ja", "ko"]
MARKS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy"}
LITERAL = r"""u?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
IN_TEMPLATES = re.compile(rf"\b(gettext|ngettext|pgettext|_)\(((?:{LITERAL}(?:,\s*)?)+)")
Key = tuple[str, str]
"""(context, text in English)."""


def wanted() -> set[Key]:
    """Every text that the templates and the code put up for translation."""
    found = {key for path in ARENA.rglob("*.html") for key in in_template(path)}
    return found | {key for path in ARENA.rglob("*.py") if "migrations" not in path.parts for key in in_code(path)}


def in_template(path: Path) -> Iterator[Key]:
    """As Django's own makemessages reads a template."""
    for name, arguments in IN_TEMPLATES.findall(templatize(path.read_text(encoding="utf-8"))):
        texts = ast.literal_eval(f"({arguments.rstrip(', ')},)")
        yield (texts[0], texts[1]) if name == "pgettext" else ("", texts[0])


def in_code(path: Path) -> Iterator[Key]:
    """Texts handed to a gettext function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
        if name not in MARKS:
            continue
        texts = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        if texts:
            yield (texts[0], texts[1]) if name.startswith("pgettext") else ("", texts[0])


def written(language: str) -> dict[Key, str]:
    """The entries of a django.po; the heading's key is empty."""
    text = po(language).read_text(encoding="utf-8")
    return dict(entry(block) for block in text.strip().split("\n\n"))


def entry(block: str) -> tuple[Key, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        if line.startswith("#"):
            continue
        if not line.startswith('"'):
            name, line = line.split(" ", 1)
        fields[name] = fields.get(name, "") + ast.literal_eval(line)
    return (fields.get("msgctxt", ""), fields["msgid"]), fields.get("msgstr", fields.get("msgstr[0]", ""))


def po(language: str) -> Path:
    return ARENA / "locale" / language / "LC_MESSAGES" / "django.po"


def parts(text: str) -> list[str]:
    """What a translation must keep: places to be filled, and tags."""
    return sorted(re.findall(r"%\(\w+\)[a-z]|%%|<[^>]+>", text))


def test_the_search_finds_texts_of_both_kinds() -> None:
    texts = wanted()
    assert ("", "Undo is possible until the reveal.") in texts
    assert ("", "The prompt is empty.") in texts
    assert ("a link to the booth", "vote") in texts
    assert ("", "%(n)s epoch") in texts
    assert len(texts) > 350


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_untranslated_or_left_over(language: str) -> None:
    """Remedy: docs/booth.md, “Translations”."""
    texts = written(language)
    assert wanted() - set(texts) == set(), "not in the file"
    assert set(texts) - wanted() - {("", "")} == set(), "no longer used"
    assert [key for key, translation in texts.items() if not translation] == []
    assert "fuzzy" not in po(language).read_text(encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_places_and_tags_survive_translation(language: str) -> None:
    for (_, text), translation in written(language).items():
        assert not text or parts(translation) == parts(text), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_file_is_that_of_the_written_one(language: str) -> None:
    with po(language).with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for (context, text), translation in written(language).items():
        if text:
            found = compiled.pgettext(context, text) if context else compiled.gettext(text)
            plural = compiled.ngettext(text, text, 2)
            assert translation in {found, plural}, f"run compilemessages: {text}"


def test_every_offered_language_has_its_file() -> None:
    assert [code for code, _ in settings.LANGUAGES] == ["en", *LANGUAGES]
