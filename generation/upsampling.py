"""Longer prompts out of short ones, made once and kept: TIPO (Yeh et al. 2024), a frozen table, or nothing. No torch.

A prompt is upsampled by `freeze`, into a table on disk. Whatever renders takes its texts from there, so every
checkpoint gets the same string, and rendering again needs neither TIPO nor its weights. docs/upsampling.md says more.
"""

import hashlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from generation.checkpoint import file_sha256
from generation.errors import UpsamplingError
from generation.files import write_json
from generation.recipe import ImageRequest, Upsampling
from generation.tipo import PACKAGE

SCHEMA = 1
WORKER = "generation.tipo"


@dataclass(frozen=True, slots=True)
class Upsampled:
    """A text, and where it came from."""

    text: str
    source: Upsampling

    def request(self, seed: int) -> ImageRequest:
        """What the renderer is asked. Raises ValueError where the text is too long."""
        return ImageRequest(self.text, seed, self.source)


class Upsampler(Protocol):
    """What makes a longer text of a prompt."""

    def upsample(self, prompt: str) -> Upsampled:
        """Raises UpsamplingError where it cannot."""
        ...


class Null:
    """Leaves every prompt as it is: the other side of an experiment."""

    def upsample(self, prompt: str) -> Upsampled:
        """The prompt itself."""
        return Upsampled(prompt, Upsampling("null", prompt, 0, None))


class Table:
    """A frozen table: JSON with one entry a prompt."""

    def __init__(self, path: Path, entries: dict[str, Upsampled]) -> None:
        """`read_table` reads one, `freeze` writes one."""
        self.path = path
        self.entries = entries

    def upsample(self, prompt: str) -> Upsampled:
        """The text kept for this prompt. Raises UpsamplingError where there is none."""
        found = self.entries.get(prompt)
        if found is None:
            raise UpsamplingError(
                f"{self.path} has no text for {prompt[:60]!r}; add it: python -m generation upsample {self.path} "
                "--prompt TEXT --by tipo:FOLDER"
            )
        return found

    def write(self) -> None:
        """Replace the file, whole or not at all."""
        entries = [{"text": one.text, **asdict(one.source)} for one in self.entries.values()]
        write_json(self.path, {"schema": SCHEMA, "entries": entries})


class Tipo:
    """The package tipo-kgen with a folder of its weights, in a process of its own.

    It seeds the global generators of random, numpy and torch, and makes a folder beside itself when it is imported;
    there it can do no harm.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        """Raises UpsamplingError where the package is not installed or the folder holds no weights."""
        if importlib.util.find_spec(PACKAGE) is None:
            raise UpsamplingError("TIPO is not installed: pip install tipo-kgen, or take the texts from a table")
        if not (folder / "config.json").is_file():
            raise UpsamplingError(f"{folder} holds no weights of TIPO (no config.json): copy the whole folder there")
        self._folder = folder
        self._seed = seed
        self._sha256 = folder_sha256(folder)

    def upsample(self, prompt: str) -> Upsampled:
        """What TIPO makes of it, on the CPU. Raises UpsamplingError with the end of what it said when it fails."""
        asked = json.dumps({"folder": str(self._folder.resolve()), "prompt": prompt, "seed": self._seed})
        command = [sys.executable, "-m", WORKER]
        done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise UpsamplingError(f"TIPO failed on {prompt[:60]!r}: {reason}")
        text = json.loads(done.stdout.splitlines()[-1])["text"]
        return Upsampled(text, Upsampling("tipo", prompt, self._seed, self._sha256))


def freeze(
    path: Path,
    prompts: Iterable[str],
    upsampler: Upsampler,
    *,
    on_prompt: Callable[[str], None] = lambda prompt: None,
) -> Table:
    """Upsample every prompt that the table lacks, once, and keep each at once; those that it has stay as they are.

    Raises UpsamplingError where a prompt cannot be upsampled, ValueError where a text does not fit into a request;
    the texts before it are kept.
    """
    table = read_table(path) if path.exists() else Table(path, {})
    for prompt in prompts:
        if prompt not in table.entries:
            made = upsampler.upsample(prompt)
            made.request(0)
            table.entries[prompt] = made
            table.write()
        on_prompt(prompt)
    return table


def read_table(path: Path) -> Table:
    """Raises UpsamplingError naming the file and what is wrong with it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise ValueError(f"its schema is {content['schema']!r}, this version reads {SCHEMA}")
        entries = [_entry(**entry) for entry in content["entries"]]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UpsamplingError(f"{path} is no table of upsampled prompts ({error})") from error
    return Table(path, {one.source.prompt: one for one in entries})


def upsampler_of(text: str, seed: int) -> Upsampler:
    """From ``null``, ``table:FILE`` or ``tipo:FOLDER``. Raises UpsamplingError for anything else."""
    kind, _, path = text.partition(":")
    if kind == "null" and not path:
        return Null()
    if kind == "table" and path:
        return read_table(Path(path))
    if kind == "tipo" and path:
        return Tipo(Path(path), seed)
    raise UpsamplingError(f"{text!r} upsamples nothing: write null, table:FILE or tipo:FOLDER")


def folder_sha256(folder: Path) -> str:
    """SHA-256 over the sorted lines ``relative/path sha256`` of all files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder).as_posix()} {file_sha256(path)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _entry(text: str, **source: Any) -> Upsampled:
    made = Upsampled(text, Upsampling(**source))
    made.request(0)
    return made
