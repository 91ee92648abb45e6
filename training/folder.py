"""A data set's folder as it is read back: its manifest, its tags, and the image file of any of its posts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from training.caption_config import CaptionConfig
from training.errors import UserError
from training.intake import Images
from training.posts import Post
from training.shards import read_member
from training.sources import PLAN, each_post, reported
from training.vocabulary import FILE, read_vocabulary, register_like

MANIFEST = "dataset.json"


def read_manifest(folder: Path) -> dict[str, Any]:
    """The data set's manifest.

    Raises:
        UserError: there is no whole data set in ``folder``.
    """
    path = folder / MANIFEST
    if not path.is_file() and (folder / PLAN).is_file():
        raise UserError(f"{folder} is prepared in part: give the same `python -m training prepare` again to finish it")
    if not path.is_file():
        raise UserError(f"{path} is missing: make the data set with `python -m training dataset demo --out {folder}`")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): make the data set again") from error
    return manifest


def with_vocabulary(config: CaptionConfig, data: Path) -> CaptionConfig:
    """``config`` for captions of the posts in ``data``: no random register token spells one of their tags.

    The tags are those of a prepared set's vocabulary, or else those that the posts have.

    Raises:
        UserError: the posts or the vocabulary cannot be read.
    """
    if not config.register_rate:
        return config
    file = data / FILE
    tags: Iterable[str] = (
        read_vocabulary(file, reported).categories
        if file.is_file()
        else chain.from_iterable(post.tags for post in each_post(data))
    )
    return replace(config, register_excluded=config.register_excluded | register_like(tags))


def pictures_of(source: Path) -> Path:
    """Where the pictures of a source of posts lie, if nobody says: beside it, or where a prepared set has them."""
    folder = source if source.is_dir() else source.parent
    try:
        plan = json.loads((folder / PLAN).read_text("utf-8"))
        return folder if plan["prepare"]["write"] == "shards" else folder / plan["images"]
    except (OSError, ValueError, KeyError):
        return folder


class Pictures:
    """The image files of a data set, wherever its manifest says that they lie."""

    def __init__(self, folder: Path) -> None:
        """Raises UserError where the folder has no manifest."""
        prepared = read_manifest(folder)
        self._folder = folder
        pattern = prepared["prepare"]["image_pattern"] if "prepare" in prepared else "{file_path}"
        where = prepared.get("images") if "prepare" in prepared else None
        self._images = Images(folder / where if where else folder, pattern)

    def file(self, post: Post) -> Path:
        """Where the image lies: a file of its own, or the tar file that holds it."""
        return self._folder / post.shard if post.shard else self._images.path(vars(post))

    def data(self, post: Post) -> bytes:
        """The file's bytes. Raises UserError naming the post where they cannot be read."""
        try:
            return read_member(self._folder, post) if post.shard else self.file(post).read_bytes()
        except OSError as error:
            raise UserError(f"cannot read the image of post {post.id}: {error}; make the data set again") from error
