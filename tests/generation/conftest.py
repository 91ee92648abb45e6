import shutil
from pathlib import Path

import pytest
import torch

from generation.recipe import Recipe
from generation.renderer import Renderer
from generation.tiny import write_tiny_checkpoint


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A tiny checkpoint folder that no test changes."""
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    write_tiny_checkpoint(folder, seed=1)
    return folder


@pytest.fixture
def scratch(tiny, tmp_path) -> Path:
    """A copy of it of this test's own, to damage."""
    return Path(shutil.copytree(tiny, tmp_path / "scratch"))


@pytest.fixture(scope="session")
def renderer(tiny) -> Renderer:
    return Renderer(tiny, threads=1)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return Recipe(steps=3, batch=4, negative_prompt="red hair")
