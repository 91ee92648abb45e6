"""Images in an S3-compatible bucket, by django-storages; a store that fails does so as an OSError, as a disk does."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import ContentFile, File
from storages.backends.s3 import S3Storage

from arena.errors import MissingError, StoreError

# A page waits for its images: better a 503 in seconds than a worker thread held for minutes.
PATIENCE = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"max_attempts": 2, "mode": "standard"},
    s3={"addressing_style": "auto"},
    signature_version="s3v4",
)


class BucketStorage(S3Storage):
    """A private bucket. Reading fetches the whole image at once, so that failure comes before the answer begins."""

    def get_default_settings(self) -> dict[str, Any]:
        """django-storages' own, with our patience; files keep the name they are given."""
        return super().get_default_settings() | {
            "client_config": PATIENCE,
            "default_acl": None,
            "file_overwrite": True,
            "querystring_auth": True,
        }

    def _open(self, name: str, mode: str = "rb") -> File:
        with store_errors(name), super()._open(name, mode) as stored:
            return ContentFile(stored.read(), name=name)

    def _save(self, name: str, content: File) -> str:
        with store_errors(name):
            return str(super()._save(name, content))

    def delete(self, name: str) -> None:
        with store_errors(name):
            super().delete(name)

    def exists(self, name: str) -> bool:
        with store_errors(name):
            return bool(super().exists(name))

    def size(self, name: str) -> int:
        with store_errors(name):
            return int(super().size(name))

    def check_bucket(self) -> None:
        """Ask the store for the bucket. Raises StoreError."""
        with store_errors(self.bucket_name):
            self.connection.meta.client.head_bucket(Bucket=self.bucket_name)


@contextmanager
def store_errors(name: str) -> Iterator[None]:
    """Raise whatever the S3 client raises as StoreError, an absent object as MissingError."""
    try:
        yield
    except FileNotFoundError as error:
        raise MissingError(f"the store has no {name}") from error
    except (BotoCoreError, ClientError) as error:
        raise StoreError(f"the store failed at {name}: {error}") from error
