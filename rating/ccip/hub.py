"""Encoders of deepghs by name: from the Hugging Face cache on this machine, or, only when allowed, from the hub."""

import importlib
import re
from pathlib import Path
from typing import Any

from rating.ccip.errors import CCIPError, MissingFileError
from rating.ccip.folder import FILES

REPOSITORY = "deepghs/ccip_onnx"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
REMEDY = "huggingface-hub is missing: pip install 'illustration-arena[ccip]', or give a folder"


def find_folder(name: Path | str, *, allow_download: bool = False) -> Path:
    """The folder of that path or, where there is none, of that encoder of deepghs.

    Without `allow_download` nothing is asked of the network. Raises MissingFileError for what is not on this machine,
    CCIPError where the hub does not give it.
    """
    path = Path(name)
    if path.exists() or not NAME.fullmatch(str(name)):
        return path
    hub = _library()
    files = [_file(hub, f"{name}/{file}", allow_download) for file in FILES]
    return Path(files[0]).parent


def _file(hub: Any, file: str, allow_download: bool) -> str:
    # Not `hf_hub_download(local_files_only=True)`: that sends telemetry all the same (huggingface_hub 2.4).
    cached = hub.try_to_load_from_cache(REPOSITORY, file)
    if isinstance(cached, str):
        return cached
    if not allow_download:
        raise MissingFileError(
            f"{file} is neither in a folder here nor in the Hugging Face cache; give the folder of the encoder, or "
            f"fetch it once from {REPOSITORY}: "
            f"python -m rating ccip check --encoder {file.partition('/')[0]} --allow-download"
        )
    try:
        return str(hub.hf_hub_download(REPOSITORY, file))
    except Exception as error:
        # A connection that breaks on the way raises whatever the hub's client of the day is built on.
        raise CCIPError(
            f"{file} could not be fetched from {REPOSITORY}: {error}; try again, what has arrived is kept"
        ) from error


def _library() -> Any:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise CCIPError(REMEDY) from error
