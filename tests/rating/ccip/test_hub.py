"""Named encoders: from the cache without the network, from a hub only when allowed. The hub here is a small server."""

import hashlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
NAME, COMMIT = "ccip-caformer-24-randaug-pruned", "a" * 40
PREFIX = f"/deepghs/ccip_onnx/resolve/main/{NAME}/"


class Hub(BaseHTTPRequestHandler):
    """Gives the files of `folder` as the Hugging Face hub does, and writes down what it was asked."""

    folder: Path
    asked: list[str]
    breaks: bool

    def do_HEAD(self) -> None:
        self.answer(b"")

    def do_GET(self) -> None:
        self.answer(None)

    def answer(self, body: bytes | None) -> None:
        self.asked.append(f"{self.command} {self.path}")
        file = self.folder / self.path.removeprefix(PREFIX)
        if not self.path.startswith(PREFIX) or not file.is_file():
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = file.read_bytes()
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body is None:
            self.wfile.write(data[: len(data) // 2] if self.breaks else data)

    def log_message(self, format: str, *args: object) -> None:
        """Not on the screen."""


@pytest.fixture
def hub(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Its address and what it was asked."""
    Hub.folder, Hub.asked, Hub.breaks = folder, [], False
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", Hub.asked
    server.shutdown()
    thread.join()
    server.server_close()


def check(*arguments: object, home: Path, endpoint: str) -> "subprocess.CompletedProcess[str]":
    environment = {"HF_HOME": str(home), "HF_ENDPOINT": endpoint, "PATH": "", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    command = [sys.executable, "-m", "rating", "ccip", "check", "--cache", str(home / "c"), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100)


def test_a_name_is_fetched_when_that_is_allowed_and_found_without_the_network_after(
    hub: tuple[str, list[str]], tmp_path: Path
) -> None:
    endpoint, asked = hub
    refused = check("--encoder", NAME, home=tmp_path, endpoint=endpoint)
    assert (refused.returncode, asked) == (2, [])
    assert f"{NAME}/model_feat.onnx" in refused.stderr
    assert f"python -m rating ccip check --encoder {NAME} --allow-download" in refused.stderr
    fetched = check("--encoder", NAME, "--allow-download", home=tmp_path, endpoint=endpoint)
    assert fetched.returncode == 0, fetched.stderr
    assert f"GET {PREFIX}model_metrics.onnx" in asked
    asked.clear()
    again = check("--encoder", NAME, home=tmp_path, endpoint=endpoint)
    assert (again.returncode, asked) == (0, [])
    assert NAME in again.stdout


def test_a_name_that_the_hub_does_not_know_is_named(hub: tuple[str, list[str]], tmp_path: Path) -> None:
    done = check("--encoder", "ccip-of-nobody", "--allow-download", home=tmp_path, endpoint=hub[0])
    assert done.returncode == 1
    assert "ccip-of-nobody/model_feat.onnx could not be fetched from deepghs/ccip_onnx" in done.stderr


def test_a_connection_that_breaks_is_an_error_and_trying_again_works(
    hub: tuple[str, list[str]], tmp_path: Path
) -> None:
    Hub.breaks = True
    broken = check("--encoder", NAME, "--allow-download", home=tmp_path, endpoint=hub[0])
    assert broken.returncode == 1
    assert "could not be fetched from deepghs/ccip_onnx" in broken.stderr
    assert "try again" in broken.stderr
    assert "Traceback" not in broken.stderr
    Hub.breaks = False
    assert check("--encoder", NAME, "--allow-download", home=tmp_path, endpoint=hub[0]).returncode == 0


def test_a_folder_never_asks_the_hub(hub: tuple[str, list[str]], folder: Path, tmp_path: Path) -> None:
    own = shutil.copytree(folder, tmp_path / "own")
    done = check("--encoder", own, "--allow-download", home=tmp_path, endpoint=hub[0])
    assert (done.returncode, hub[1]) == (0, [])
    gone = check("--encoder", tmp_path / "gone", "--allow-download", home=tmp_path, endpoint=hub[0])
    assert (gone.returncode, hub[1]) == (2, [])
    assert "gone is no folder" in gone.stderr
