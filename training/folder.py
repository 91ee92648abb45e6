"""A data set's folder as it is read back: its manifest, and the image file of any of its posts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training.errors import UserError
from training.intake import Images
from training.posts import Post
from training.shards import read_member

MANIFEST = "dataset.json"


def read_manifest(folder: Path) -> dict[str, Any]:
    """The data set's manifest.

    Raises:
        UserError: there is no whole data set in ``folder``.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError(f"{path} is missing: make the data set with `python -m training dataset demo --out {folder}`")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): make the data set again") from error
    return manifest


class Pictures:
    """The image files of a data set, wherever its manifest says that they lie."""

    def __init__(self, folder: Path) -> None:
        """Raises UserError where the folder has no manifest."""
        prepared = read_manifest(folder)
        self._folder = folder
        pattern = prepared["prepare"]["image_pattern"] if "prepare" in prepared else "{file_path}"
        where = prepared.get("images") if "prepare" in prepared else None
        self._images = Images(folder / where if where else folder, pattern)

    def data(self, post: Post) -> bytes:
        """The file's bytes. Raises UserError naming the post where they cannot be read."""
        try:
            return read_member(self._folder, post) if post.shard else self._images.path(vars(post)).read_bytes()
        except OSError as error:
            raise UserError(f"cannot read the image of post {post.id}: {error}; make the data set again") from error
