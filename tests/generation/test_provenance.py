import io
import re
from importlib.metadata import version
from pathlib import Path

import pytest
from PIL import Image
from sd_parsers import ParserManager

from generation.imageio import archive_png
from generation.provenance import a1111_parameters, differing_fields, environment, manifest_json
from generation.recipe import ImageRequest, Recipe


def manifest(prompt="1girl, blue hair", negative="", name="tiny epoch 0"):
    return {
        "prompt": prompt,
        "seed": 7,
        "recipe": {
            "sampler": "euler_a",
            "steps": 12,
            "cfg": 2.5,
            "width": 64,
            "height": 96,
            "negative_prompt": negative,
        },
        "checkpoint": {"sha256": "0123456789abcdef" * 4, "name": name},
    }


def parse(text):
    """A reader of A1111's format: settings are the last line, the negative prompt begins with its label."""
    *lines, last = text.split("\n")
    pairs = re.findall(r'([^:,]+): ("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)', last)
    positive, _, negative = "\n".join(lines).partition("\nNegative prompt: ")
    return positive, negative, dict(pairs)


def test_a1111_readers_find_every_setting():
    positive, negative, settings = parse(a1111_parameters(manifest(negative="bad hands, text")))
    assert (positive, negative) == ("1girl, blue hair", "bad hands, text")
    assert settings == {
        "Steps": "12",
        "Sampler": "Euler a",
        "CFG scale": "2.5",
        "Seed": "7",
        "Size": "64x96",
        "Model hash": "0123456789",
        "Model": "tiny epoch 0",
        "Version": f"illustration-arena {version('illustration-arena')}",
    }


def test_an_independent_reader_reads_an_archived_image(renderer):
    """The package sd-parsers reads images of many tools."""
    recipe = Recipe(sampler="dpmpp_2m", spacing="karras", steps=2, cfg=4.5, batch=1, negative_prompt="red hair, boy")
    rendered = next(renderer.render(recipe, [ImageRequest("1girl, blue hair", 2**40)]))
    found = ParserManager().parse(Image.open(io.BytesIO(archive_png(rendered.image, rendered.manifest))))
    (sampler,) = found.samplers
    assert found.generator.value == "AUTOMATIC1111"
    assert (sampler.name, sampler.parameters["scheduler"]) == ("DPM++ 2M", "Karras")
    assert sampler.parameters["seed"] == str(2**40)
    assert (sampler.parameters["steps"], sampler.parameters["cfg_scale"]) == ("2", "4.5")
    assert [prompt.value for prompt in sampler.prompts] == ["1girl, blue hair"]
    assert [prompt.value for prompt in sampler.negative_prompts] == ["red hair, boy"]
    assert (sampler.model.name, sampler.model.hash) == ("tiny epoch 0", renderer.info.sha256[:10])
    assert found.metadata["Size"] == "64x64"


def test_no_negative_prompt_leaves_no_line():
    assert "Negative" not in a1111_parameters(manifest())


def test_a_prompt_of_several_lines_is_read_back():
    assert parse(a1111_parameters(manifest(prompt="1girl\nsolo", negative="a\nb")))[:2] == ("1girl\nsolo", "a\nb")


def test_a_name_with_commas_and_quotes_does_not_break_the_line():
    settings = parse(a1111_parameters(manifest(name='run "a", b: c')))[2]
    assert settings["Model"] == r'"run \"a\", b: c"'
    assert settings["Seed"] == "7"


def test_the_json_is_canonical_and_refuses_nan():
    assert manifest_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'
    with pytest.raises(ValueError, match="JSON"):
        manifest_json({"a": float("nan")})


def test_differing_fields_are_named_with_dots():
    one = {"a": 1, "b": {"c": 2, "d": 3}, "e": 4}
    other = {"a": 1, "b": {"c": 5, "d": 3}, "f": 6}
    assert differing_fields(one, other) == ["b.c", "e", "f"]
    assert differing_fields(one, one) == []


def test_the_environment_names_versions_and_machine():
    found = environment(threads=2, device="cpu", cpu_capability="AVX2")
    assert found["threads"] == 2
    assert found["cpu_capability"] == "AVX2"
    said = Path("/proc/cpuinfo").read_text()
    assert all(word in said for word in found["processor"].split())
    assert all(found["packages"][name] for name in ("torch", "diffusers", "transformers", "numpy", "pillow"))
