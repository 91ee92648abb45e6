import dataclasses
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from generation.checkpoint import seal_checkpoint
from generation.errors import CheckpointError
from generation.imageio import pixel_sha256
from generation.loading import Origin, load
from generation.recipe import ImageRequest, Recipe
from generation.renderer import Renderer, RenderError
from generation.store import ComponentStore
from generation.swapping import Swapper
from generation.verify import verify
from generation.weights import tensor_bytes

UNET = "unet/diffusion_pytorch_model.safetensors"
REQUESTS = [ImageRequest("1girl, blue hair", 3)]
RECIPE = Recipe(steps=2, batch=1)


def fine_tune(folder, source, number, part=UNET, key="conv_in.bias"):
    """A copy of a checkpoint in which one tensor of one component differs."""
    shutil.copytree(source, folder)
    tensors = load_file(folder / part)
    tensors[key] = tensors[key] + number / 8
    save_file(tensors, folder / part, metadata={"format": "pt"})
    fields = json.loads((folder / "checkpoint.json").read_text())
    seal_checkpoint(folder, {**fields, "run": f"tune {number}", "name": f"tune {number}"})
    return folder


@pytest.fixture(scope="module")
def tunes(tiny, tmp_path_factory):
    root = tmp_path_factory.mktemp("tunes")
    return [fine_tune(root / str(number), tiny, number) for number in range(1, 21)]


def pixels(renderer):
    return [pixel_sha256(rendered.image) for rendered in renderer.render(RECIPE, REQUESTS)]


def sizes(folder):
    weights = load(Origin(folder)).weights
    return {name: tensor_bytes(tensors.values()) for name, tensors in weights.items()}


def test_twenty_fine_tunes_hold_what_they_share_once(tiny, tunes):
    """Bytes counted by hand: 20 UNets, one VAE, one of each text encoder."""
    store = ComponentStore()
    loaded = [load(Origin(folder), store=store) for folder in tunes]
    size = sizes(tiny)
    assert store.bytes == 20 * size["unet"] + size["vae"] + size["text_encoder"] + size["text_encoder_2"]
    assert len(store) == 23
    storages = {tensors["quant_conv.weight"].data_ptr() for tensors in (one.weights["vae"] for one in loaded)}
    assert len(storages) == 1


def test_one_changed_tensor_of_a_text_encoder_is_a_copy_of_its_own(tiny, tunes, tmp_path):
    changed = fine_tune(tmp_path / "te", tunes[0], 1, "text_encoder/model.safetensors", "final_layer_norm.bias")
    store = ComponentStore()
    first, second = (load(Origin(folder), store=store) for folder in (tunes[0], changed))
    size = sizes(tiny)
    assert store.bytes == sum(size.values()) + size["text_encoder"]
    assert first.keys["text_encoder"] != second.keys["text_encoder"]
    assert {name for name in first.keys if first.keys[name] == second.keys[name]} == {"unet", "vae", "text_encoder_2"}


def test_the_budget_is_kept_and_the_longest_unused_goes_first(tiny):
    store = ComponentStore(3 * 4)
    one, two, three, four = ({"w": torch.full((1,), float(i))} for i in range(4))
    for key, tensors in (("one", one), ("two", two), ("three", three)):
        store.put(key, tensors)
    assert store.get("one") is one
    assert store.put("one", four) is one
    store.put("four", four)
    assert ("one" in store, "two" in store, "three" in store, "four" in store) == (True, False, True, True)
    assert store.bytes == 12
    assert store.put("large", {"w": torch.zeros(4)})["w"].shape == (4,)
    assert "large" not in store
    assert ComponentStore(0).put("one", one) is one


def test_nothing_of_a_refused_checkpoint_reaches_the_store(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "bad")
    tensors = load_file(tmp_path / "bad" / "text_encoder_2" / "model.safetensors")
    tensors["text_projection.weight"][0] = float("nan")
    save_file(tensors, tmp_path / "bad" / "text_encoder_2" / "model.safetensors", metadata={"format": "pt"})
    seal_checkpoint(tmp_path / "bad", json.loads((tmp_path / "bad" / "checkpoint.json").read_text()))
    store = ComponentStore()
    with pytest.raises(CheckpointError, match=r"text_projection\.weight"):
        load(Origin(tmp_path / "bad"), store=store)
    assert len(store) == store.bytes == 0


@pytest.mark.parametrize("device_budget", [0, 10**9])
def test_a_swapped_checkpoint_renders_as_if_it_were_alone(tunes, device_budget):
    alone = [pixels(Renderer(folder, threads=1)) for folder in tunes[:3]]
    assert len({str(hashes) for hashes in alone}) == 3
    renderer = Renderer(tunes[0], threads=1, store=ComponentStore(), device_budget=device_budget)
    unet = renderer.parts.unet
    for number in (1, 2, 0, 2, 1):
        renderer.swap(tunes[number])
        assert pixels(renderer) == alone[number]
        assert renderer.info.name == f"tune {number + 1}"
    assert renderer.parts.unet is unet


def test_a_swap_copies_what_differs_and_reads_files_once(tiny, tunes):
    renderer = Renderer(tunes[0], threads=1, store=ComponentStore())
    assert (renderer.last_swap.built, renderer.last_swap.read) == (True, True)
    renderer.swap(tunes[1])
    assert (renderer.last_swap.copied, renderer.last_swap.read) == (("unet",), True)
    assert renderer.last_swap.bytes == sizes(tiny)["unet"]
    renderer.swap(tunes[0])
    assert (renderer.last_swap.copied, renderer.last_swap.read) == (("unet",), False)
    renderer.swap(tunes[0])
    assert (renderer.last_swap.copied, renderer.last_swap.bytes) == ((), 0)
    assert renderer.last_swap.seconds > 0


def test_what_lies_in_the_store_is_never_written_to(tunes):
    store = ComponentStore()
    renderer = Renderer(tunes[0], store=store)
    kept = load(Origin(tunes[0]), store=store).weights["unet"]["conv_in.bias"]
    before = kept.clone()
    renderer.swap(tunes[1])
    assert torch.equal(kept, before)


def test_without_a_budget_files_are_read_again(tunes):
    renderer = Renderer(tunes[0], store=ComponentStore(0))
    renderer.swap(tunes[1])
    renderer.swap(tunes[0])
    assert renderer.last_swap.read


def test_a_file_changed_on_disk_is_read_again(tiny, tmp_path):
    folder = fine_tune(tmp_path / "a", tiny, 1)
    renderer = Renderer(folder, threads=1, store=ComponentStore())
    before = pixels(renderer)
    shutil.rmtree(folder)
    fine_tune(folder, tiny, 2)
    renderer.swap(folder)
    assert renderer.last_swap.read
    assert pixels(renderer) != before


def test_a_refused_checkpoint_leaves_the_one_before_in_place(tunes, tmp_path):
    renderer = Renderer(tunes[0], threads=1, store=ComponentStore())
    before = pixels(renderer)
    with pytest.raises(CheckpointError):
        renderer.swap(tmp_path / "nowhere")
    assert pixels(renderer) == before


def test_another_architecture_gets_modules_of_its_own(tunes, tiny, tmp_path):
    folder = tmp_path / "other"
    shutil.copytree(tiny, folder)
    config = json.loads((folder / "unet" / "config.json").read_text())
    (folder / "unet" / "config.json").write_text(json.dumps({**config, "attention_head_dim": 4}))
    seal_checkpoint(folder, json.loads((folder / "checkpoint.json").read_text()))
    wanted = [pixels(Renderer(path, threads=1)) for path in (tunes[0], folder)]
    renderer = Renderer(tunes[0], threads=1, store=ComponentStore())
    found = [pixels(renderer)]
    renderer.swap(folder)
    assert renderer.last_swap.built
    found.append(pixels(renderer))
    renderer.swap(tunes[0])
    assert [*found, pixels(renderer)] == [*wanted, wanted[0]]


def test_the_rest_of_a_batch_keeps_its_own_manifest_after_a_swap(tunes):
    renderer = Renderer(tunes[0], threads=1, store=ComponentStore())
    recipe = dataclasses.replace(RECIPE, batch=2)
    images = renderer.render(recipe, REQUESTS * 2)
    first = next(images)
    renderer.swap(tunes[1])
    assert next(images).manifest == first.manifest


def test_swapping_in_the_middle_of_rendering_is_refused(tunes):
    renderer = Renderer(tunes[0], store=ComponentStore())
    images = renderer.render(RECIPE, REQUESTS * 2)
    next(images)
    renderer.swap(tunes[1])
    with pytest.raises(RenderError, match="another checkpoint was put in"):
        next(images)


@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_weights_go_into_the_compiled_unet_without_a_recompile(tunes, backend):
    """``eager`` runs torch's tracer and guards, the part that decides about recompiling, without the C++ compiler."""
    torch._dynamo.reset()  # another backend in one process would count as a recompile
    with torch._dynamo.config.patch(error_on_recompile=True):
        swapper = Swapper(store=ComponentStore(), compile_backend=backend)
        inputs = (torch.ones(2, 4, 16, 16), torch.tensor(500), torch.ones(2, 48, 40))
        added = {"text_embeds": torch.ones(2, 24), "time_ids": torch.ones(2, 6)}
        for folder in (*tunes[:3], tunes[0]):
            with torch.inference_mode():
                compiled = swapper.use(Origin(folder)).unet(*inputs, added_cond_kwargs=added).sample
                eager = load_alone(folder)(*inputs, added_cond_kwargs=added).sample
            torch.testing.assert_close(compiled, eager, atol=1e-5, rtol=0)
        with torch.inference_mode(), pytest.raises(torch._dynamo.exc.RecompileError):  # another shape would need one
            swapper.use(Origin(tunes[0])).unet(inputs[0][..., :8], *inputs[1:], added_cond_kwargs=added)


def load_alone(folder):
    return Swapper().use(Origin(folder)).unet


def test_a_compiled_renderer_says_so_and_verifies(tunes):
    rendered = next(Renderer(tunes[0], threads=1, compile_backend="eager").render(RECIPE, REQUESTS))
    assert rendered.manifest["environment"]["compiled"] == "eager"
    assert verify(rendered.image, rendered.manifest, tunes[0]).code == 0
