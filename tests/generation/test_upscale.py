import io
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from generation.cli import main
from generation.errors import Cancelled, RenderError
from generation.imageio import pixel_sha256, read_archive
from generation.pngrows import write_png
from generation.recipe import ImageRequest, Recipe
from generation.tiles import WEIGHT, Mosaic, Side
from generation.upscale import Enlargement, PlacedNoise, upscale
from generation.verify import verify

ROOT = Path(__file__).parents[2]
REQUEST = ImageRequest("1girl, blue hair", 7)
TILE = Recipe(sampler="euler_a", steps=4, batch=4)
LARGE = Enlargement(144, 208, 16, 0.5)


@pytest.fixture(scope="module")
def picture():
    """Soft colours, so that a seam would show."""
    y, x = np.mgrid[0:104, 0:72] / 104
    colours = np.stack([np.sin(5 * x + 3 * y), np.cos(4 * x * y), np.sin(6 * y)], axis=2)
    return Image.fromarray((127 + 100 * colours).astype(np.uint8))


@given(st.integers(2, 30), st.integers(2, 400), st.data())
def test_weights_add_up_everywhere_and_only_neighbours_meet(tile, size, data):
    unit = data.draw(st.sampled_from([1, 4, 8]))
    ramp = data.draw(st.integers(1, max(1, tile * unit // 3)))
    if size < tile or ramp > tile * unit / 3:
        return
    side = Side(size * unit, tile * unit, ramp, unit)
    assert side.starts[0] == 0
    assert side.starts[-1] + side.tile == side.size
    assert all(start % unit == 0 for start in side.starts)
    total = np.zeros(side.size, int)
    for start, weights in zip(side.starts, side.weights(), strict=True):
        total[start : start + side.tile] += weights
    assert (total == WEIGHT).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((56, 64, 16, 8), "smaller than a tile"),
        ((64, 64, 22, 8), "third of a tile"),
        ((68, 64, 16, 8), "multiples of 8"),
    ],
)
def test_sides_that_cannot_be_tiled_say_why(fields, message):
    with pytest.raises(ValueError, match=message):
        Side(*fields)


def test_a_mosaic_of_a_picture_is_the_picture(tmp_path):
    whole = np.random.default_rng(1).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    mosaic = Mosaic(tmp_path, Side(56, 24, 8, 8), Side(40, 24, 6, 8))
    for x, y in mosaic.tiles():
        mosaic.put(x, y, whole[y : y + 24, x : x + 24])
    assert mosaic.missing() == []
    assert (np.stack(list(mosaic.rows())) == whole).all()


def test_rows_become_the_png_that_pillow_reads():
    whole = np.random.default_rng(1).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    chunks = PngInfo()
    chunks.add_text("manifest", "some words")
    file = io.BytesIO()
    write_png(file, 200, 300, iter(whole), chunks)
    with Image.open(file) as image:
        assert image.info["manifest"] == "some words"
        assert (np.asarray(image) == whole).all()
    with pytest.raises(ValueError, match="299 rows came for a picture of 300"):
        write_png(io.BytesIO(), 200, 300, iter(whole[1:]), chunks)
    with pytest.raises(ValueError, match="row 0 has the shape"):
        write_png(io.BytesIO(), 201, 300, iter(whole), chunks)


def test_noise_belongs_to_places(renderer):
    device = renderer.parts.device
    whole = PlacedNoise(3, [(0, 0)], (4, 90, 70), device)("initial", 0)[0]
    one, other = PlacedNoise(3, [(5, 40), (33, 2)], (4, 40, 30), device)("initial", 0)
    assert (one == whole[:, 40:80, 5:35]).all()
    assert (other == whole[:, 2:42, 33:63]).all()
    assert abs(float(whole.std()) - 1) < 0.02
    assert not (PlacedNoise(3, [(0, 0)], (4, 90, 70), device)("initial", 1)[0] == whole).any()


def test_neither_the_order_of_tiles_nor_a_stop_changes_a_pixel(renderer, tiny, picture, tmp_path):
    outcomes = {}
    orders = {"as they lie": list, "backwards": lambda tiles: tiles[::-1], "shuffled": shuffled}
    for name, order in orders.items():
        out = tmp_path / f"{name}.png"
        manifest = upscale(renderer, TILE, REQUEST, picture, LARGE, out, order=order)
        image, read = read_archive(out.read_bytes())
        assert image.size == (144, 208)
        assert read == manifest
        assert manifest["pixel_sha256"] == pixel_sha256(image)
        outcomes[name] = manifest["pixel_sha256"]
    assert len(set(outcomes.values())) == 1

    done = []
    out = tmp_path / "stopped.png"
    with pytest.raises(Cancelled):
        upscale(
            renderer, TILE, REQUEST, picture, LARGE, out,
            on_tile=lambda number, total: done.append(number), should_stop=lambda: len(done) == 1,
        )  # fmt: skip
    assert done == [4]
    assert not out.exists()
    upscale(renderer, TILE, REQUEST, picture, LARGE, out, on_tile=lambda number, total: done.append((number, total)))
    assert done == [4, (8, 12), (12, 12)]
    assert out.read_bytes() == (tmp_path / "backwards.png").read_bytes()
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".png"] * 4
    found = verify(image, manifest, tiny, source=picture)
    assert (found.code, found.differing) == (0, ())


def shuffled(tiles):
    return random.Random(5).sample(tiles, len(tiles))


def seam(image, mosaic_sides):
    """Mean gradient across all places where a tile or a ramp begins or ends, over the mean gradient elsewhere."""
    array = np.asarray(image).astype(float)
    at, elsewhere = [], []
    for axis, side in ((1, mosaic_sides[0]), (0, mosaic_sides[1])):
        gradient = np.abs(np.diff(array, axis=axis)).mean(axis=(1 - axis, 2))
        borders = {start for start in side.starts} | {start + side.tile for start in side.starts}
        for here, there in pairwise(side.starts):
            middle = (here + side.tile + there) // 2
            borders |= {middle - side.ramp // 2, middle + side.ramp // 2, middle}
        marked = np.array([place + 1 in borders for place in range(len(gradient))])
        at.extend(gradient[marked])
        elsewhere.extend(gradient[~marked])
    return np.mean(at) / np.mean(elsewhere)


def test_no_seam_shows_where_tiles_meet(renderer, picture, tmp_path):
    large = Enlargement(288, 416, 16, 0.5)
    upscale(renderer, TILE, REQUEST, picture, large, tmp_path / "out.png")
    image, _ = read_archive((tmp_path / "out.png").read_bytes())
    sides = Side(288, 64, 16, 4), Side(416, 64, 16, 4)
    assert seam(image, sides) <= 1.05
    # The measure sees seams: the same picture with tiles that end in the middle of what they share.
    array = np.asarray(image).astype(float)
    for number, (here, there) in enumerate(pairwise(sides[0].starts)):
        array[:, (here + 64 + there) // 2 :] += 60 * (-1) ** number
    assert seam(array, sides) > 1.05


MEASURE = """
import sys
from pathlib import Path
import numpy as np
from PIL import Image
from generation.recipe import ImageRequest, Recipe
from generation.renderer import Renderer
from generation.upscale import Enlargement, upscale
def peak():
    return next(int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('VmHWM'))
folder, scratch, width, height = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
renderer = Renderer(folder, threads=1)
source = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))
tile = Recipe(steps=1, batch=1, width=256, height=256)
before = peak()
upscale(renderer, tile, ImageRequest('1girl', 1), source, Enlargement(width, height, 64, 1.0), scratch / 'out.png')
print(peak() - before)
"""


def growth(tiny, folder, width, height):
    """Kilobytes by which the peak memory of a process rises while it upscales."""
    folder.mkdir()
    command = [sys.executable, "-c", MEASURE, str(tiny), str(folder), str(width), str(height)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_memory_is_that_of_one_tile_whatever_the_size(tiny, tmp_path):
    one = growth(tiny, tmp_path / "one", 256, 256)
    many = growth(tiny, tmp_path / "many", 512, 768)
    assert one > 20_000
    assert many <= 1.3 * one


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_memory_is_that_of_one_tile_at_twenty_megapixels(tiny, tmp_path):
    one = growth(tiny, tmp_path / "one", 256, 256)
    assert growth(tiny, tmp_path / "many", 3744, 5472) <= 1.3 * one
    with Image.open(tmp_path / "many" / "out.png") as image:
        assert image.size == (3744, 5472)


def test_sizes_that_cannot_be_tiled_are_refused(renderer, picture, tmp_path):
    with pytest.raises(RenderError, match="smaller than a tile"):
        upscale(renderer, TILE, REQUEST, picture, Enlargement(48, 64, 16), tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_upscales(tiny, picture, tmp_path, capsys):
    picture.save(tmp_path / "in.png")
    command = ["upscale", str(tiny), "--image", str(tmp_path / "in.png"), "--prompt", "1girl", "--seed", "4"]
    out = tmp_path / "new" / "large.png"
    assert main([*command, "--scale", "1.5", "--strength", "0.6", "--threads", "1", "--out", str(out)]) == 0
    assert "108x156" in capsys.readouterr().out
    assert main(["verify", str(out), "--checkpoint", str(tiny), "--image", str(tmp_path / "in.png")]) == 0
    assert main([*command, "--scale", "0.5", "--out", str(out)]) == 1
    assert "--scale must be from 1 to 64" in capsys.readouterr().err
