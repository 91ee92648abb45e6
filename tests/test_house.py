"""The house rules that no linter knows."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("arena", "rating", "generation", "training")
TOP_LEVEL = {
    "manage.py", "pyproject.toml", "arena", "rating", "generation", "training", "tests", "README.md", "Makefile",
    "CHANGELOG.md", "LICENSE", "constraints.txt", "compose.yaml", "docs", ".ci", ".gitignore",
    ".pre-commit-config.yaml",
}  # fmt: skip
GLOBAL_RANDOMNESS = {
    ("random", "seed"), ("random", "random"), ("random", "choice"), ("random", "shuffle"),
    ("torch", "manual_seed"), ("torch", "seed"),
}  # fmt: skip
NUMPY_GENERATORS = {"Generator", "default_rng", "Philox", "SeedSequence", "BitGenerator"}


def tracked() -> list[Path]:
    """Files under version control, or every file where this is no checkout."""
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        files = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
        return [path for path in files if not path.parts[0].startswith(".venv")]
    return [Path(line) for line in listing.stdout.splitlines() if (ROOT / line).exists()]


def sources() -> list[Path]:
    return [p for p in tracked() if p.suffix == ".py" and p.parts[0] in PACKAGES and "migrations" not in p.parts]


def test_nothing_else_lies_at_the_top() -> None:
    assert {path.parts[0] for path in tracked()} <= TOP_LEVEL


@pytest.mark.parametrize("path", sources(), ids=str)
def test_file_is_short_and_says_what_it_is_for(path: Path) -> None:
    text = (ROOT / path).read_text()
    assert len(text.splitlines()) <= 320, "split the file by purpose"
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "a module starts by saying what it is for"
    assert path.name not in {"utils.py", "helpers.py", "services.py", "common.py"}


@pytest.mark.parametrize("path", [p for p in sources() if p.parts[0] != "arena"], ids=str)
def test_pure_code_keeps_no_global_randomness(path: Path) -> None:
    tree = ast.parse((ROOT / path).read_text())
    forks = [node for node in ast.walk(tree) if isinstance(node, ast.With) and "fork_rng" in ast.unparse(node.items[0])]
    # Layers are initialised from torch's global generator; a fork seeds it and puts it back.
    forked = {inner for fork in forks for inner in ast.walk(fork)}
    for node in ast.walk(tree):
        if node in forked:
            continue
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in GLOBAL_RANDOMNESS, f"line {node.lineno}: pass a generator instead"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "random":
            assert node.attr in NUMPY_GENERATORS, f"line {node.lineno}: numpy's global generator"


def test_the_web_process_holds_no_deep_learning_library() -> None:
    script = (
        "import os, sys, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'; django.setup();"
        "from django.urls import get_resolver; get_resolver().url_patterns; import arena.wsgi;"
        "from django.test import Client; from django.core.management import call_command;"
        "call_command('migrate', verbosity=0); assert Client().get('/', HTTP_HOST='localhost').status_code == 200;"
        "assert Client().get('/boards/trueskill/', HTTP_HOST='localhost').status_code == 200;"
        "print(sorted({'torch', 'diffusers', 'transformers', 'onnxruntime', 'accelerate'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_migrations_are_complete() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run", "--settings", "tests.settings"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
