"""Images in tar files as WebDataset lays them out: files of one sample have one name and stand side by side.

Plain, uncompressed tar, so that a post's image can also be read by its place (`Post.shard_offset`) without going
through the file.
"""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

from training.caption_config import CaptionConfig
from training.captions import prompt_text
from training.posts import Post, to_record

HEADER = 512
FULL = CaptionConfig(shuffle=False)


class ShardWriter:
    """Tar files ``images-NNN.tar`` in ``folder``; posts name them below ``name``, the folder's place in the set."""

    def __init__(self, folder: Path, name: str, limit: int) -> None:
        self._folder, self._name, self._limit = folder, name, limit
        self._tar: tarfile.TarFile | None = None
        self._count = 0

    def add(self, post: Post, data: bytes) -> Post:
        """Add image, full caption and record of a post; returns the post with its place."""
        tar = self._open()
        key = f"{post.id:012d}"
        offset = tar.offset + HEADER
        _add(tar, f"{key}.{post.file_ext}", data)
        placed = replace(
            post, shard=f"{self._name}/{Path(str(tar.name)).name}", shard_offset=offset, shard_bytes=len(data)
        )
        _add(tar, f"{key}.txt", prompt_text(placed, FULL).encode())
        _add(tar, f"{key}.json", json.dumps(to_record(placed), ensure_ascii=False).encode())
        return placed

    def close(self) -> None:
        """Finish the last file."""
        if self._tar is not None:
            self._tar.close()
            self._tar = None

    def _open(self) -> tarfile.TarFile:
        if self._tar is not None and self._tar.offset >= self._limit:
            self.close()
        if self._tar is None:
            path = self._folder / f"images-{self._count:03d}.tar"
            self._tar = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 - closed by `close`
            self._count += 1
        return self._tar


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """A member without owner or time, so that equal posts make equal files."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def read_member(folder: Path, post: Post) -> bytes:
    """The image file of a post in a shard. Raises OSError where the shard is missing or shorter than it should be."""
    path = folder / post.shard
    with path.open("rb") as file:
        file.seek(post.shard_offset)
        data = file.read(post.shard_bytes)
    if len(data) != post.shard_bytes:
        raise OSError(f"{path} ends before the image of post {post.id}")
    return data
