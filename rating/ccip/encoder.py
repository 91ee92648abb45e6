"""An encoder of characters: images in, features out, and how different two of them are (docs/ccip.md)."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rating.ccip import clusters
from rating.ccip.cache import EmbeddingCache
from rating.ccip.embedding import Found, Lanes, embedded
from rating.ccip.errors import CCIPError, FeatureError, ImageError, MixedEncodersError
from rating.ccip.features import Features, Vectors, cosine_differences
from rating.ccip.folder import FEAT, EncoderFolder, read_folder
from rating.ccip.hub import find_folder
from rating.ccip.nets import Contract, Nets, in_blocks
from rating.ccip.pictures import ImageSource, Picture, picture_of

DEFAULT = Path(__file__).with_name("default")
KEPT = 32  # embeddings that are written to the cache at once

Progress = Callable[[int, int], None]


class CCIPEncoder:
    """An encoder folder of the CCIP contract. Nets are opened when first needed, once per process, and checked then.

    `threads` images are decoded and, on a CPU, embedded at a time (default: `cores` on a CPU, 8 ahead of a GPU, whose
    memory more would fill); `chunk` is how many a run of the net takes (default: 1 on a CPU, 16 on a GPU). Neither
    changes a feature by more than 1e-6.
    """

    def __init__(
        self,
        folder: EncoderFolder,
        *,
        cache: Path | str | None = None,
        threads: int | None = None,
        chunk: int | None = None,
        cores: int = 1,
        providers: Sequence[str] | None = None,
    ) -> None:
        self.folder = folder
        self.nets = Nets(folder, providers)
        self.cache = EmbeddingCache(cache)
        self._lanes = Lanes(threads, chunk, cores)
        self._known: Contract | None = None

    @classmethod
    def from_dir(cls, path: Path | str, **options: Any) -> Self:
        """The encoder of a folder {model_feat.onnx, model_metrics.onnx, metrics.json, cluster.json}.

        Options are those of the class: `cache` (a file that processes may share; without it features are kept in
        memory), `threads`, `chunk`, `cores`, `providers`. Opens no net and no connection.
        Raises MissingFileError, ContractError.
        """
        return cls(read_folder(path), **options)

    @classmethod
    def default(cls, **options: Any) -> Self:
        """This project's own small encoder. Its scores hold in its own domain only (see `notice`)."""
        return cls.from_dir(DEFAULT, **options)

    @classmethod
    def find(cls, name: Path | str | None = None, *, allow_download: bool = False, **options: Any) -> Self:
        """The default, a folder, or an encoder of deepghs by its name, such as ccip-caformer-24-randaug-pruned.

        A name is looked up in the Hugging Face cache without touching the network; only `allow_download` fetches it.
        Raises MissingFileError, ContractError.
        """
        return cls.from_dir(DEFAULT if name is None else find_folder(name, allow_download=allow_download), **options)

    @property
    def name(self) -> str:
        """What the manifest, or else the folder, is called."""
        return self.folder.name

    @property
    def notice(self) -> str:
        """What has to be said beside every score; may be empty."""
        return self.folder.notice

    @property
    def identity(self) -> str:
        """64 hex digits of both nets and the preprocessing: features of different identities are never compared."""
        return self.folder.identity

    @property
    def threshold(self) -> float:
        """The difference up to which, inclusive, two images show the same character; in [0, 1]."""
        return self.folder.threshold

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The whole metrics.json."""
        return self.folder.metrics

    def check(self) -> Contract:
        """Open both nets now and hold them against the contract. Raises ContractError naming the difference."""
        self._known = self.nets.check()
        self.cache.write_contract(self.identity, asdict(self._known))
        return self._known

    def embed(self, images: Sequence[ImageSource], *, progress: Progress | None = None) -> Features:
        """Features (n, dim) of the images in their order.

        `progress(done, total)` is called as images are finished. What is finished is in the cache, so a stopped call
        goes on where it was. Raises ImageError for the first image that cannot be read, FeatureError for one that the
        net gives no direction.
        """
        features, failed = self.embed_readable(images, progress=progress)
        if failed:
            raise failed[min(failed)]
        return features

    def embed_readable(
        self, images: Sequence[ImageSource], *, progress: Progress | None = None
    ) -> tuple[Features, dict[int, CCIPError]]:
        """Features of the images that have one, in their order, and what is wrong with the others, by index."""
        report = progress or (lambda done, total: None)
        pictures, failed = _pictures(images)
        times = Counter(picture.sha256 for picture in pictures.values())
        known = self._cached(list(times))
        left = {picture.sha256: picture for picture in pictures.values() if picture.sha256 not in known}
        done = len(images) - sum(times[image] for image in left)
        report(done, len(images))
        broken: dict[str, CCIPError] = {}
        for picture, found in self._fresh(list(left.values())):
            if isinstance(found, CCIPError):
                broken[picture.sha256] = found
            else:
                known[picture.sha256] = found
            done += times[picture.sha256]
            report(done, len(images))
        failed |= {index: broken[one.sha256] for index, one in pictures.items() if one.sha256 in broken}
        rows = [known[pictures[index].sha256] for index in range(len(images)) if index not in failed]
        vectors = np.stack(rows) if rows else np.zeros((0, self._contract().dim), np.float32)
        return Features(vectors, self.identity), failed

    def differences(self, a: Features, b: Features | None = None) -> NDArray[np.float32]:
        """(len(a), len(b)) in [0, 1], 0 the same and 1 opposite; without b of a with itself.

        By numpy where the metric net was found to be (1 - cos) / 2, otherwise by the net in blocks.
        Raises MixedEncodersError for features of another encoder.
        """
        self._check_own(a, *([] if b is None else [b]))
        if self._contract().cosine:
            return cosine_differences(a.vectors, None if b is None else b.vectors)
        return in_blocks(self.nets.metric, a.vectors, None if b is None else b.vectors)

    def same(self, a: Features, b: Features | None = None, *, threshold: float | None = None) -> NDArray[np.bool_]:
        """Whether the difference is at most the threshold: the encoder's own, or the one given."""
        return self.differences(a, b) <= np.float32(self.threshold if threshold is None else threshold)

    def merge(self, features: Features) -> Features:
        """One feature for many: the mean direction, as long as they are on average.

        Raises FeatureError for no features, or for such as cancel out, MixedEncodersError for another encoder's.
        """
        self._check_own(features)
        if not len(features):
            raise FeatureError("no features to merge")
        lengths = np.linalg.norm(features.vectors, axis=-1)
        mean = (features.vectors / lengths[:, None]).mean(axis=0)
        if not mean.any():
            raise FeatureError("the features cancel out; there is no direction between opposites")
        merged = mean / np.linalg.norm(mean) * lengths.mean()
        return Features(merged[None].astype(np.float32), features.encoder)

    def cluster(
        self, features: Features, method: str = "optics", *, eps: float | None = None, min_samples: int | None = None
    ) -> NDArray[np.intp]:
        """(n,) the number of each image's cluster, -1 for none. Methods and defaults: rating/ccip/clusters.py."""
        chosen = clusters.settings(self.folder, method, eps, min_samples)
        return clusters.labels(self.differences(features), chosen)

    def close(self) -> None:
        """Let go of the nets and their memory; they are opened again when needed."""
        self.nets.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_own(self, *given: Features) -> None:
        for features in given:
            if features.encoder != self.identity:
                raise MixedEncodersError(
                    f"features of encoder {features.encoder[:12]} cannot be compared by {self.name} "
                    f"({self.identity[:12]}); embed the images with one encoder"
                )

    def _contract(self) -> Contract:
        if self._known is None:
            found = self.cache.contract(self.identity)
            self._known = Contract(**found) if found else self.check()
        return self._known

    def _cached(self, images: list[str]) -> dict[str, Vectors]:
        return self.cache.read(images, self.folder.hashes[FEAT], self.folder.preprocess.version)

    def _fresh(self, pictures: list[Picture]) -> Iterator[tuple[Picture, Found]]:
        """Embed, and keep what is finished, also when stopped in the middle."""
        if not pictures:
            return
        self._contract()
        finished: dict[str, Vectors] = {}
        try:
            for picture, found in embedded(pictures, self.folder.preprocess, self.nets, self._lanes):
                if not isinstance(found, CCIPError) and not _has_direction(found):
                    found = FeatureError(f"{self.name} gives {picture.name} a zero, NaN or infinite feature")
                if not isinstance(found, CCIPError):
                    finished[picture.sha256] = found
                yield picture, found
                if len(finished) >= KEPT:
                    self._keep(finished)
        finally:
            self._keep(finished)

    def _keep(self, finished: dict[str, Vectors]) -> None:
        self.cache.write(finished, self.folder.hashes[FEAT], self.folder.preprocess.version)
        finished.clear()


def _pictures(images: Sequence[ImageSource]) -> tuple[dict[int, Picture], dict[int, CCIPError]]:
    pictures: dict[int, Picture] = {}
    failed: dict[int, CCIPError] = {}
    for index, image in enumerate(images):
        try:
            pictures[index] = picture_of(image)
        except ImageError as error:
            failed[index] = error
    return pictures, failed


def _has_direction(vector: Vectors) -> bool:
    return bool(np.isfinite(vector).all() and vector.any())
