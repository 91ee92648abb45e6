import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "diffusers", "transformers", "onnxruntime", "django", "celery"}


def run(code):
    """Run code in a fresh interpreter and return the JSON it prints last."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_the_light_modules_load_nothing_heavy():
    light = ("checkpoint", "recipe", "imageio", "provenance", "noise", "cli")
    modules = ", ".join(["generation", *(f"generation.{name}" for name in light)])
    loaded = run(f"import json, sys, {modules}; print(json.dumps(sorted(sys.modules)))")
    assert "generation.imageio" in loaded
    assert not HEAVY & set(loaded)


def test_inspect_never_loads_torch(tiny):
    code = f"import json, sys; from generation.cli import main; main(['inspect', {str(tiny)!r}])"
    assert not HEAVY & set(run(f"{code}; print(json.dumps(sorted(sys.modules)))"))


def test_importing_the_package_takes_less_than_a_third_of_a_second_of_processor_time():
    measured = "start = time.process_time(); import generation; print(json.dumps(time.process_time() - start))"
    assert run(f"import json, time; {measured}") < 0.3
