import ast
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
    light = (
        *("checkpoint", "recipe", "imageio", "provenance", "noise", "cli", "origin_cli"),
        *("emphasis", "tokens", "keymap", "single", "sealing", "presets"),
    )
    modules = ", ".join(["generation", *(f"generation.{name}" for name in light)])
    loaded = run(f"import json, sys, {modules}; print(json.dumps(sorted(sys.modules)))")
    assert "generation.imageio" in loaded
    assert not HEAVY & set(loaded)


def test_inspect_never_loads_torch(tiny):
    code = f"import json, sys; from generation.cli import main; main(['inspect', {str(tiny)!r}])"
    assert not HEAVY & set(run(f"{code}; print(json.dumps(sorted(sys.modules)))"))


def test_nothing_may_be_fetched():
    """Every library call that could reach a hub says that it must not."""
    calls = [
        node
        for path in (ROOT / "generation").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".from_pretrained", ".from_single_file"))
    ]
    assert calls
    for call in calls:
        said = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert said.get("local_files_only") == "True", ast.unparse(call)


def test_importing_the_package_takes_less_than_a_third_of_a_second_of_processor_time():
    measured = "start = time.process_time(); import generation; print(json.dumps(time.process_time() - start))"
    assert run(f"import json, time; {measured}") < 0.3
