"""What `python -m training prepare` does to posts, as named values that go into the prepared set's manifest."""

from __future__ import annotations

from dataclasses import dataclass, field

from training.buckets import BucketConfig
from training.prune import PruneConfig
from training.quality import QualityConfig
from training.repair import RepairConfig
from training.resize import ResizeConfig

ON_PROBLEM = ("go_on", "stop")
SAME_FILE = ("report", "remove")
WRITE = ("records", "check", "shards")


@dataclass(frozen=True)
class PrepareConfig:
    """The rules of a preparation (docs/prepare.md).

    Attributes:
        vocabulary: a CSV of tags (`training.vocabulary.read_vocabulary`), or empty: the posts' own categories.
        texts: files of further texts and register strings, joined to the posts by id (`training.additions`).
        image_pattern: where a post's image lies below the images' folder (`training.intake.Images`).
        on_problem: ``go_on`` keeps a post that can be used without what is wrong, leaves out one that cannot, and
            reports both; ``stop`` ends at the first.
        same_file: posts with an md5 that came before: ``report`` them, or ``remove`` them.
        write: ``records`` leaves images alone, ``check`` decodes each one, ``shards`` also writes them into tar files.
        shard_bytes: a tar file is closed when it is at least as large.
        seed: of the coin of ``resize.mix``.
        buckets: sizes that the set is trained at; recorded and reported, nothing is cut here.

    Raises:
        ValueError: a value outside its range.
    """

    vocabulary: str = ""
    texts: tuple[str, ...] = ()
    image_pattern: str = "{file_path}"
    on_problem: str = "go_on"
    same_file: str = "report"
    write: str = "records"
    shard_bytes: int = 2**30
    seed: int = 0
    prune: PruneConfig = field(default_factory=PruneConfig)
    resize: ResizeConfig = field(default_factory=ResizeConfig)
    quality: QualityConfig = field(default_factory=QualityConfig)
    repair: RepairConfig = field(default_factory=RepairConfig)
    buckets: BucketConfig = field(default_factory=BucketConfig)

    def __post_init__(self) -> None:
        for name, choices in (("on_problem", ON_PROBLEM), ("same_file", SAME_FILE), ("write", WRITE)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}")
        if self.shard_bytes < 1:
            raise ValueError("shard_bytes must be at least 1")
