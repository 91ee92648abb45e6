"""Every command, setting and page of the documentation is where a reader looks for it."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def own_commands() -> list[str]:
    return sorted(p.stem for p in (ROOT / "arena").rglob("management/commands/*.py") if p.stem != "__init__")


def environment_variables() -> set[str]:
    """Names read from the environment anywhere in the packages."""
    found = {"DATABASE_URL"}  # read by dj-database-url
    for package in ("arena", "rating", "generation", "training"):
        for path in (ROOT / package).rglob("*.py"):
            found |= set(re.findall(r"[\"']((?:ARENA_|CELERY_BROKER)[A-Z0-9_]+)[\"']", path.read_text()))
    return found


def command_text() -> str:
    return (DOCS / "commands.md").read_text()


@pytest.mark.parametrize("name", own_commands())
def test_management_command_is_documented(name: str) -> None:
    assert f"manage.py {name}" in command_text()


def test_make_targets_are_documented() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {target for target in targets if f"`make {target}`" not in command_text()} == {"help"}


@pytest.mark.parametrize("package", ["generation", "rating", "training"])
def test_verbs_of_the_command_lines_are_documented(package: str) -> None:
    tree = ast.parse((ROOT / package / "cli.py").read_text())
    assignments = [node for node in ast.walk(tree) if isinstance(node, ast.Assign | ast.AnnAssign)]
    tables = [
        node.value for node in assignments if isinstance(node.value, ast.Dict) and "COMMANDS" in ast.unparse(node)
    ]
    verbs = [key.value for table in tables for key in table.keys if isinstance(key, ast.Constant)]
    assert verbs
    for verb in verbs:
        assert f"python -m {package} {verb}" in command_text()


def test_verbs_of_character_similarity_are_documented() -> None:
    text = (ROOT / "rating" / "ccip" / "cli.py").read_text()
    verbs = re.findall(r'^    "([a-z]+)": \("rating\.ccip\.cli_\1"', text, re.MULTILINE)
    assert len(verbs) == 4
    for verb in verbs:
        assert f"python -m rating ccip {verb}" in command_text()


def command_line_files() -> list[Path]:
    return [
        *(ROOT / "arena").rglob("management/commands/*.py"),
        *(ROOT / "training").rglob("*cli.py"),
        *(ROOT / "generation").glob("*cli.py"),
        *(ROOT / "rating").rglob("cli.py"),
    ]


def test_options_are_documented() -> None:
    for path in command_line_files():
        for option in re.findall(r"add_argument\(\s*[\"'](--[a-z-]+)", path.read_text()):
            assert option in command_text(), f"{option} of {path.relative_to(ROOT)} is not in docs/commands.md"


@pytest.mark.parametrize("name", sorted(environment_variables()))
def test_setting_is_documented(name: str) -> None:
    assert f"`{name}`" in (DOCS / "settings.md").read_text()


def test_documented_settings_exist() -> None:
    named = set(re.findall(r"^\| `([A-Z0-9_]+)`", (DOCS / "settings.md").read_text(), re.MULTILINE))
    assert named <= environment_variables() | {"CHROMIUM", "TEST_DATABASE_URL"}


def test_links_between_pages_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            if not target.startswith(("http://", "https://")):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text()
    for page in DOCS.glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, f"{page.name} is missing in docs/README.md"


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([a-z-]+)", (ROOT / "README.md").read_text()):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"
