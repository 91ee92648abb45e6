"""Pictures checked by one process (``--write check``), against decoding them alone, the physical limit: ms each."""

import shutil
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from tests.benchmarks.training.images import each, pictures
from training.prepare import Preparation, prepare
from training.prepare_config import PrepareConfig


def workers(folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """The same files both ways."""
    files = pictures(folder)

    def ours() -> object:
        shutil.rmtree(folder / "checked", ignore_errors=True)
        plan = Preparation(folder / "source", folder / "checked", folder / "source", PrepareConfig(write="check"))
        return prepare(plan, command="")

    def decode() -> object:
        for file in files:
            with Image.open(file) as image:
                image.load()
        return len(files)

    return each(ours), each(decode)
