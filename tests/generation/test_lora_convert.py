"""LoRAs under kohya's and peft's names: there and back is bit-exact, and both mean the same."""

import json
import re
from functools import cache

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.utils import convert_state_dict_to_kohya
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file

from generation.checkpoint import read_json
from generation.cli import main
from generation.errors import CheckpointError
from generation.families import SD15, SDXL
from generation.keymap import UNET, places
from generation.loading import Origin, load
from generation.lora import read_layers
from generation.lora_convert import ALPHAS, convert_lora
from generation.lora_file import LoraRef
from generation.lora_names import kohya_name, layer_table, peft_name
from generation.lora_settings import HEADER
from generation.tiny import write_tiny_checkpoint
from training.sdxl import UNET as SDXL_UNET


@pytest.fixture(scope="session")
def sd15(tmp_path_factory):
    folder = tmp_path_factory.mktemp("families") / "sd15"
    write_tiny_checkpoint(folder, seed=4, family=SD15)
    return folder


@pytest.fixture(params=["sdxl", "sd15"])
def folder(request, tiny, sd15):
    return {"sdxl": tiny, "sd15": sd15}[request.param]


@cache
def matrices(folder, dtype=torch.float32):
    """(down, up) by (component, our layer) for every layer of UNet and text encoders; ranks 2 and 3."""
    random = torch.Generator().manual_seed(7)
    loaded = load(Origin(folder))
    made = {}
    for component in loaded.parts.family.adapted:
        for name, weight in loaded.weights[component].items():
            if weight.dim() < 2 or "embedding" in name.removeprefix("time_embedding").removeprefix("add_embedding"):
                continue
            rank = 3 if "to_out" in name else 2
            down = torch.randn(rank, *weight.shape[1:], generator=random) / 10
            up = torch.randn(weight.shape[0], rank, *[1] * (weight.dim() - 2), generator=random) / 10
            made[component, name.removesuffix(".weight")] = down.to(dtype), up.to(dtype)
    return loaded.parts.family, made


def kohya_file(path, folder, *, dtype=torch.float32, alpha=lambda number, dtype: torch.tensor(1.5, dtype=dtype)):
    family, made = matrices(folder, dtype)
    tensors = {}
    for number, ((component, layer), (down, up)) in enumerate(made.items()):
        key = kohya_name(component, layer, read_json(folder / component / "config.json"), family)
        tensors |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
        own = alpha(number, dtype)
        if own is not None:
            tensors[f"{key}.alpha"] = own
    save_file(tensors, path, metadata={"format": "pt", "ss_output_name": "style"})
    return path


ALPHA_KINDS = {
    "float32": lambda number, dtype: torch.tensor(1.5),
    "of the matrices": lambda number, dtype: torch.tensor(0.5 + number % 3, dtype=dtype),
    "whole numbers": lambda number, dtype: torch.tensor(number % 3 + 1),
    "of one element": lambda number, dtype: torch.tensor([2.0]),
    "none at all": lambda number, dtype: None,
    "some": lambda number, dtype: torch.tensor(2.0) if number % 2 else None,
}


def same(one, other):
    a, b = load_file(one), load_file(other)
    assert a.keys() == b.keys()
    for key, value in a.items():
        assert (value.dtype, value.shape) == (b[key].dtype, b[key].shape), key
        assert save({"x": value}) == save({"x": b[key]}), key
    return True


def header(path):
    with safe_open(path, framework="pt") as file:
        return file.metadata()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_from_kohya_to_peft_and_back_every_bit_is_the_same(folder, tmp_path, dtype):
    for alpha, make in ALPHA_KINDS.items():
        file = kohya_file(tmp_path / f"{alpha}.safetensors", folder, dtype=dtype, alpha=make)
        peft = convert_lora(file, folder, "peft", tmp_path / f"{alpha}, peft.safetensors")
        assert not load_file(file).keys() & load_file(peft).keys()
        back = convert_lora(peft, folder, "kohya", tmp_path / f"{alpha}, back.safetensors")
        assert same(file, back)
        assert header(back) == header(file)


def test_from_peft_to_kohya_and_back_every_bit_is_the_same(folder, tmp_path):
    """Alphas by pattern, as peft writes them, some of which bfloat16 cannot hold."""
    family, made = matrices(folder, torch.bfloat16)
    tensors, said = {}, {f"{name}.lora_alpha": 0.3 for name in family.adapted}
    for (component, layer), (down, up) in made.items():
        key = peft_name(component, layer)
        tensors |= {f"{key}.lora_A.weight": down, f"{key}.lora_B.weight": up}
    said["unet.alpha_pattern"] = {"mid_block.attentions.0.transformer_blocks.0.attn1.to_q": 7}
    file = tmp_path / "peft.safetensors"
    save_file(tensors, file, metadata={"format": "pt", HEADER: json.dumps(said)})
    kohya = convert_lora(file, folder, "kohya", tmp_path / "kohya.safetensors")
    alphas = {key: float(value) for key, value in load_file(kohya).items() if key.endswith(".alpha")}
    assert sorted(set(alphas.values())) == [0.3, 7.0]
    back = convert_lora(kohya, folder, "peft", tmp_path / "back.safetensors")
    assert same(file, back)
    strengths = [{key: one.strength for key, one in read_layers(path)[1].items()} for path in (file, back)]
    assert strengths[0] == strengths[1]


@pytest.mark.parametrize("alpha", ALPHA_KINDS)
def test_under_both_names_it_changes_the_weights_to_the_same_bits(folder, tmp_path, alpha):
    file = kohya_file(tmp_path / "kohya.safetensors", folder, alpha=ALPHA_KINDS[alpha])
    peft = convert_lora(file, folder, "peft", tmp_path / "peft.safetensors")
    one, other = (load(Origin(folder, loras=(LoraRef(path),))) for path in (file, peft))
    bare = load(Origin(folder))
    for component in one.parts.family.adapted:
        for name, value in one.weights[component].items():
            assert torch.equal(value, other.weights[component][name]), name
    assert not torch.equal(bare.weights["unet"]["conv_in.weight"], one.weights["unet"]["conv_in.weight"])


def test_names_of_stable_diffusion_1_5_are_those_that_diffusers_gives(sd15, tmp_path):
    """diffusers' own conversion is the second opinion; it writes SDXL's ``te1`` for the one text encoder, too."""
    file = kohya_file(tmp_path / "kohya.safetensors", sd15, alpha=ALPHA_KINDS["none at all"])
    peft = convert_lora(file, sd15, "peft", tmp_path / "peft.safetensors")
    theirs = convert_state_dict_to_kohya(load_file(peft))
    named = {key.replace("lora_te1_", "lora_te_") for key in theirs if not key.endswith(".alpha")}
    assert named == load_file(file).keys()


@pytest.mark.parametrize(
    ("layer", "flat"),
    [
        (
            "down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_out.0",
            "lora_unet_input_blocks_4_1_transformer_blocks_1_attn2_to_out_0",
        ),
        (
            "mid_block.attentions.0.transformer_blocks.9.ff.net.0.proj",
            "lora_unet_middle_block_1_transformer_blocks_9_ff_net_0_proj",
        ),
        ("up_blocks.0.attentions.2.proj_in", "lora_unet_output_blocks_2_1_proj_in"),
    ],
)
def test_names_of_sdxl_are_those_of_published_files(layer, flat):
    assert kohya_name("unet", layer, SDXL_UNET) == flat


def test_no_two_layers_of_sdxl_share_a_spelling():
    with torch.device("meta"):
        weights = UNet2DConditionModel.from_config(SDXL_UNET).state_dict()
    table = layer_table({"unet": weights}, {"unet": SDXL_UNET})
    own = [name for name, value in weights.items() if name.endswith(".weight") and value.dim() > 1]
    spellings = [
        {bare, bare.replace(".", "_"), single, single.replace(".", "_")}
        for name, place in places("unet", own, SDXL_UNET).items()
        for bare, single in [(name.removesuffix(".weight"), place.name.removeprefix(UNET).removesuffix(".weight"))]
    ]
    assert sum(map(len, spellings)) == len(table)
    assert len({kohya_name("unet", name.removesuffix(".weight"), SDXL_UNET) for name in own}) == len(own)
    assert SDXL.adapted == ("unet", "text_encoder", "text_encoder_2")


def edited(path, change, **metadata):
    save_file(change(load_file(path)), path, metadata={**header(path), **metadata})
    return path


def with_key(name):
    def change(tensors):
        extra = {f"{name}.lora_down.weight": torch.ones(2, 4), f"{name}.lora_up.weight": torch.ones(4, 2)}
        return {**tensors, **extra}

    return change


def widened(tensors):
    key = next(key for key in tensors if key.endswith("lora_down.weight"))
    return {**tensors, key: torch.cat([tensors[key]] * 2, dim=1)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_key("lora_unet_nowhere"), "lora_unet_nowhere belongs to no layer"),
        (with_key("lora_te3_text_model_x"), "lora_te3_text_model_x belongs to no layer"),
        (lambda t: {**t, "lora_unet_x.hada_w1_a": torch.ones(2, 2)}, "lora_unet_x.hada_w1_a is not of a plain LoRA"),
        (lambda t: {k: v for k, v in t.items() if k != min(t)}, "lacks its down tensor"),
        (widened, "gives"),
        (lambda t: {k: v * float("nan") if "input_blocks_0_0" in k else v for k, v in t.items()}, "NaN or infinity"),
        (lambda t: {k: torch.ones(2) if k.endswith(".alpha") else v for k, v in t.items()}, "has 2 numbers, not one"),
    ],
)
def test_what_is_not_a_whole_lora_of_the_architecture_is_refused_by_key(tiny, tmp_path, change, message):
    plain = ALPHA_KINDS["none at all"] if "down tensor" in message else ALPHA_KINDS["float32"]
    file = edited(kohya_file(tmp_path / "kohya.safetensors", tiny, alpha=plain), change)
    with pytest.raises(CheckpointError, match=re.escape(message)):
        convert_lora(file, tiny, "peft", tmp_path / "out.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["kohya.safetensors"]


def test_one_layer_under_two_spellings_is_refused_naming_both(tiny, tmp_path):
    spelt = kohya_name("unet", "down_blocks.1.resnets.0.conv1", read_json(tiny / "unet" / "config.json"))
    other = "lora_unet_down_blocks_1_resnets_0_conv1"

    def twice(tensors):
        return {**tensors, **{key.replace(spelt, other): one.clone() for key, one in tensors.items() if spelt in key}}

    file = edited(kohya_file(tmp_path / "kohya.safetensors", tiny), twice)
    with pytest.raises(CheckpointError, match=f"{other} and {spelt} are the same layer under two spellings"):
        convert_lora(file, tiny, "peft", tmp_path / "out.safetensors")
    with pytest.raises(CheckpointError, match="are the same layer under two spellings"):
        load(Origin(tiny, loras=(LoraRef(file),)))


NOTES = ("no JSON", "[]", '{"unet.conv_in": ["float5", []]}', '{"unet.conv_in": ["float32", [2]]}')


@pytest.mark.parametrize("said", NOTES)
def test_an_edited_note_of_alphas_is_refused(tiny, tmp_path, said):
    peft = convert_lora(kohya_file(tmp_path / "kohya.safetensors", tiny), tiny, "peft", tmp_path / "peft.safetensors")
    edited(peft, lambda tensors: tensors, **{ALPHAS: said})
    with pytest.raises(CheckpointError, match=f"{ALPHAS} in its header cannot be read"):
        convert_lora(peft, tiny, "kohya", tmp_path / "out.safetensors")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("no JSON", "is no JSON object"),
        ('{"unet.lora_alpha": "much"}', "not a number"),
        ('{"unet.alpha_pattern": {"(": 1}}', "alpha_pattern cannot be read"),
        ('{"unet.use_rslora": true}', "use_rslora"),
    ],
)
def test_unreadable_settings_of_peft_are_refused(tiny, tmp_path, said, message):
    peft = convert_lora(kohya_file(tmp_path / "kohya.safetensors", tiny), tiny, "peft", tmp_path / "peft.safetensors")
    edited(peft, lambda tensors: tensors, **{HEADER: said})
    with pytest.raises(CheckpointError, match=message):
        load(Origin(tiny, loras=(LoraRef(peft),)))


def test_hashes_of_the_tensors_bytes_follow_the_new_names(tiny, tmp_path):
    file = kohya_file(tmp_path / "kohya.safetensors", tiny)
    said = {"modelspec.hash_sha256": "0xold", "sshs_model_hash": "old", "sshs_legacy_hash": "old"}
    edited(file, lambda tensors: tensors, **said)
    peft = convert_lora(file, tiny, "peft", tmp_path / "peft.safetensors")
    found = header(peft)
    assert found["modelspec.hash_sha256"] == f"0x{found['sshs_model_hash']}"
    assert re.fullmatch("[0-9a-f]{64}", found["sshs_model_hash"])
    assert "sshs_legacy_hash" not in found


def test_the_command_line_converts_inspects_and_asks_for_what_it_needs(tiny, tmp_path, capsys):
    file = kohya_file(tmp_path / "kohya.safetensors", tiny)
    out = tmp_path / "peft.safetensors"
    command = ["convert", str(file), "--out", str(out)]
    assert main([*command, "--naming", "peft", "--like", str(tiny)]) == 0
    assert main(["inspect", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "under peft's names" in shown
    assert re.search(r"naming +peft", shown)
    assert re.search(r"ranks +2, 3", shown)
    refusals = [
        ([*command, "--naming", "peft", "--like", str(tiny)], "is there already"),
        ([*command, "--naming", "peft"], "is a LoRA: write convert"),
        ([*command, "--like", str(tiny)], "is a LoRA: write convert"),
        ([*command, "--naming", "peft", "--like", str(tiny), "--run", "x"], "--run is for a checkpoint"),
        (["convert", str(tiny), "--out", str(tmp_path / "x.safetensors"), "--naming", "peft"], "is none"),
    ]
    for arguments, message in refusals:
        assert main(arguments) == 1
        assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "x.safetensors").exists()
    with pytest.raises(ValueError, match="naming 'other' is unknown"):
        convert_lora(file, tiny, "other", tmp_path / "y.safetensors")
