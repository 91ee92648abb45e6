"""Votes that may be used for tests and not be shipped: they lie beside the repository where they are at hand."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[3] / "shared" / "data" / "votes"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="data that may not be shipped lies beside the repository")
