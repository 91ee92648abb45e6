"""A real worker, killed in the middle of rendering and started again: no image is lost and none is doubled."""

import os
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from generation.imageio import pixel_sha256, read_archive
from tests.arena.evaluations.gated import gated
from tests.site import Site, wait_for

SAMPLES = 64  # the free prompts of two polls, see test_seeding
ONE_THREAD = {"ARENA_RENDER_THREADS": "1", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def site(tmp_path: Path, tiny_folder: Path) -> Site:
    site = Site(tmp_path, **ONE_THREAD, **gated(tmp_path / "gate"))
    site.manage("migrate", "--verbosity", "0")
    site.manage("seed_polls")
    site.manage("register_checkpoint", str(tiny_folder))
    return site


def count(site: Site) -> int:
    return int(site.rows("select count(*) from gallery_sample")[0][0])


def kill(worker: subprocess.Popen[bytes]) -> None:
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def kill_once_it_renders(site: Site) -> int:
    """Start a worker, kill it after the first samples; how many samples there are then."""
    with site.worker() as worker:
        wait_for("the first sample or the worker's end", lambda: count(site) or worker.poll() is not None)
        assert worker.poll() is None, (site.home / "worker.log").read_text()
        kill(worker)
    return count(site)


@pytest.mark.timeout(600)
def test_killed_worker_loses_no_image_and_doubles_none(site: Site) -> None:
    done = kill_once_it_renders(site)
    assert 0 < done < SAMPLES, "killed in the middle"
    assert site.rows("select state from evaluations_evaluationrun") == [("running",)]

    (site.home / "gate").touch()
    with site.worker():
        wait_for("the end of the evaluation", lambda: state(site) == ("done", SAMPLES))
        wait_for("the worker's sign of life", lambda: site.rows("select pid from evaluations_worker"))
    assert site.rows("select pid from evaluations_worker") == [], "a worker that stops says so"

    samples = site.rows("select prompt_id, seed, archive, blind, pixel_sha256 from gallery_sample")
    assert max(Counter(sample[:2] for sample in samples).values()) == 1
    assert len(samples) == SAMPLES
    media = site.home / "media"
    on_disk = {path.relative_to(media).as_posix() for path in media.rglob("*") if path.is_file()}
    assert on_disk == {name for sample in samples for name in sample[2:4]}
    for _, seed, archive, _, sha256 in samples:
        image, manifest = read_archive((media / archive).read_bytes())
        assert (pixel_sha256(image), manifest["seed"]) == (sha256, seed)
    assert site.rows("select count(*) from polls_enrolment") == [(2,)]


def state(site: Site) -> tuple[str, int]:
    return site.rows("select state, done from evaluations_evaluationrun")[0]
