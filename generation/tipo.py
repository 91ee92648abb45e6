"""TIPO in a process of its own: ``python -m generation.tipo`` reads a request as JSON and writes the text as JSON.

The package tipo-kgen seeds the global generators, draws from them where its seed is 0, and makes a folder beside
itself on import. This process has nothing that this could change, and it makes no folder.
"""

import importlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

PACKAGE = "kgen"
# Nothing is fetched: what is not in the folder is missing.
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
FORMAT = "Both, tag first (recommend)"


def upsample(folder: Path, prompt: str, seed: int) -> str:
    """What TIPO makes of one prompt: its tags first, sentences after them, on one line.

    Raises whatever the package raises.
    """
    with _no_new_folders():
        names = ("models", "executor.tipo", "formatter", "metainfo")
        models, tipo, formatter, metainfo = (importlib.import_module(f"{PACKAGE}.{name}") for name in names)
    models.load_model(str(folder), device="cpu")
    tags = [tag.strip() for tag in prompt.split(",") if tag.strip()]
    request = tipo.parse_tipo_request(formatter.seperate_tags(tags), "")
    # 0 would stand for a random seed.
    parsed, _ = tipo.tipo_runner(*request, seed=seed % (2**32 - 1) + 1)
    text: str = formatter.apply_format(parsed, metainfo.TIPO_DEFAULT_FORMAT[FORMAT])
    return " ".join(text.split())


@contextmanager
def _no_new_folders() -> Iterator[None]:
    """The package makes a folder for downloads on import; there are none."""
    made = os.makedirs

    def elsewhere(name: os.PathLike[str] | str, *args: Any, **more: Any) -> None:
        if Path(name).parent.name != PACKAGE:
            made(name, *args, **more)

    os.makedirs = elsewhere  # type: ignore[assignment]
    try:
        yield
    finally:
        os.makedirs = made


def main() -> int:
    """One request from the standard input; the package's own talk goes to the error output."""
    asked: dict[str, Any] = json.loads(sys.stdin.read())
    os.environ.update(OFFLINE)
    with redirect_stdout(sys.stderr):
        text = upsample(Path(asked["folder"]), asked["prompt"], asked["seed"])
    sys.stdout.write(json.dumps({"text": text}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
