"""The peers' own virtual environment: made once, made again when the list of peers changes."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PEERS = Path(__file__).with_name("peers.txt")
FOLDER = ROOT / ".venv-peers"
# Of fschat only one file of formulas is called; its dependencies are a whole server with torch.
BARE = "fschat==0.2.36"


def peers_python(say: Callable[[str], None]) -> Path:
    """The interpreter of the peers' environment; what cannot be installed is said and left out."""
    python, stamp = FOLDER / "bin" / "python", FOLDER / "installed.txt"
    wanted = PEERS.read_text() + BARE
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    say(f"installing the peers into {FOLDER.name} (some minutes, once)…")
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)
    if not _installed(python, "-r", str(PEERS)):
        for line in PEERS.read_text().splitlines():
            if line and not line.startswith("#") and not _installed(python, line):
                say(f"{line} cannot be installed here")
    if not _installed(python, "--no-deps", BARE):
        say(f"{BARE} cannot be installed here")
    stamp.write_text(wanted)
    return python


def _installed(python: Path, *what: str) -> bool:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
    return subprocess.run(command, cwd=ROOT).returncode == 0
