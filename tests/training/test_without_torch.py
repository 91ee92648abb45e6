"""The first half of training/, from posts to captions and batches, loads no deep-learning library; nor its commands."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    ["prepare_cli", "report_cli", "explain_cli", "synthetic_cli", "dataset.cli", "captions", "plan", "loader"],
)
def test_a_module_of_the_first_half_loads_none(module):
    libraries = {"torch", "diffusers", "transformers", "django"}
    code = f"import sys, training.{module}; print(sorted({libraries} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert found.strip() == "[]"
