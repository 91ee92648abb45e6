import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from generation.cli import main
from generation.convert import to_folder
from generation.errors import CheckpointError
from generation.imageio import read_archive
from generation.loading import Origin, load
from generation.lora_file import LoraRef
from generation.tiny import write_tiny_checkpoint

# One layer of each kind: (component, our name, kohya's flat name)
LAYERS = (
    (
        "unet",
        "mid_block.attentions.0.transformer_blocks.0.attn1.to_q",
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q",
    ),
    ("unet", "down_blocks.1.resnets.0.conv1", "lora_unet_input_blocks_3_0_in_layers_2"),
    ("text_encoder", "encoder.layers.0.mlp.fc1", "lora_te1_text_model_encoder_layers_0_mlp_fc1"),
    (
        "text_encoder_2",
        "text_model.encoder.layers.1.self_attn.q_proj",
        "lora_te2_text_model_encoder_layers_1_self_attn_q_proj",
    ),
)  # fmt: skip
PEFT = {"unet": "unet.", "text_encoder": "text_encoder.", "text_encoder_2": "text_encoder_2."}
RANK, ALPHA, X = 2, 1.0, "lora_unet_nowhere"


@pytest.fixture(scope="module")
def plain(tiny):
    return load(Origin(tiny))


def matrices(plain):
    """(down, up) of rank 2 for every layer of `LAYERS`, from small whole numbers."""
    made = {}
    for number, (component, name, _) in enumerate(LAYERS):
        shape = plain.weights[component][f"{name}.weight"].shape
        down = (torch.arange(RANK * shape[1:].numel()) % 5 - 2.0).view(RANK, *shape[1:]) / 100
        up = (torch.arange(shape[0] * RANK) % 3 - 1.0 + number).view(shape[0], RANK, *[1] * (len(shape) - 2)) / 10
        made[component, name] = down, up
    return made


@pytest.fixture(params=["kohya", "peft"])
def written(request, plain, tmp_path):
    """The same LoRA under both namings; its alpha is a tensor for kohya, in the header for peft."""
    tensors, metadata = {}, {}
    for component, name, flat in LAYERS:
        down, up = matrices(plain)[component, name]
        if request.param == "kohya":
            tensors |= {f"{flat}.lora_down.weight": down, f"{flat}.lora_up.weight": up}
            tensors[f"{flat}.alpha"] = torch.tensor(ALPHA)
        else:
            dotted = PEFT[component] + name
            tensors |= {f"{dotted}.lora_A.weight": down, f"{dotted}.lora_B.weight": up}
            metadata |= {f"{PEFT[component]}lora_alpha": ALPHA, f"{PEFT[component]}r": RANK}
    path = tmp_path / "style.safetensors"
    save_file(tensors, path, metadata={"lora_adapter_metadata": json.dumps(metadata)} if metadata else None)
    return path


def test_every_naming_adds_the_product_to_the_layer(tiny, plain, written):
    """W + scale * alpha / rank * up @ down, for linear layers and 3x3 convolutions; nothing else changes."""
    merged = load(Origin(tiny, loras=(LoraRef(written, 0.8),)))
    for (component, name), (down, up) in matrices(plain).items():
        before = plain.weights[component][f"{name}.weight"]
        wanted = before + 0.8 * ALPHA / RANK * torch.einsum("or,r...->o...", up.flatten(1), down)
        torch.testing.assert_close(merged.weights[component][f"{name}.weight"], wanted, atol=1e-6, rtol=1e-5)
        assert not torch.equal(before, wanted)
    touched = {(component, f"{name}.weight") for component, name, _ in LAYERS}
    for component, tensors in plain.weights.items():
        for name, value in tensors.items():
            assert torch.equal(value, merged.weights[component][name]) or (component, name) in touched


def test_scale_zero_changes_nothing_and_two_add_up(tiny, plain, written):
    none = load(Origin(tiny, loras=(LoraRef(written, 0.0),)))
    both = load(Origin(tiny, loras=(LoraRef(written, 0.5), LoraRef(written, 0.5))))
    one = load(Origin(tiny, loras=(LoraRef(written, 1.0),)))
    for name, value in plain.weights["unet"].items():
        assert torch.equal(none.weights["unet"][name], value)
        torch.testing.assert_close(both.weights["unet"][name], one.weights["unet"][name], atol=1e-6, rtol=1e-5)


def test_it_goes_on_any_base_of_the_same_shapes(written, tmp_path):
    write_tiny_checkpoint(tmp_path / "other", seed=5)
    bare, merged = load(Origin(tmp_path / "other")), load(Origin(tmp_path / "other", loras=(LoraRef(written),)))
    assert bare.keys["unet"] != merged.keys["unet"]
    assert bare.keys["vae"] == merged.keys["vae"]
    assert bare.parts.hashes == merged.parts.hashes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, k: {**t, f"{X}.lora_down.weight": t[k] * 1, f"{X}.lora_up.weight": torch.ones(4, 2)}, X),
        (lambda t, k: {n: v for n, v in t.items() if n != k}, "lacks its down tensor"),
        (lambda t, k: {**t, k: t[k][:, :3].clone()}, "gives"),
        (lambda t, k: {**t, k: t[k][:1].clone()}, "has rank 1 below and 2 above"),
        (lambda t, k: {**t, k: t[k] * float("inf")}, "NaN or infinity"),
        (lambda t, k: {**t, "lora_unet_x.hada_w1_a": t[k].clone()}, r"lora_unet_x\.hada_w1_a is not of a plain LoRA"),
        (lambda t, k: {**t, "lora_unet_x.dora_scale": t[k].clone()}, "dora_scale"),
        (lambda t, k: {}, "no LoRA layer"),
    ],
)  # fmt: skip
def test_what_is_no_whole_plain_lora_is_refused_by_key(tiny, written, change, message):
    tensors = load_file(written)
    key = next(k for k in sorted(tensors) if k.endswith(("lora_down.weight", "lora_A.weight")))
    save_file(change(tensors, key), written)
    with pytest.raises(CheckpointError, match=message):
        load(Origin(tiny, loras=(LoraRef(written),)))


def test_one_of_eight_bits_is_read_as_the_numbers_it_holds(tiny, written):
    small = {key: value.to(torch.float8_e4m3fn) for key, value in load_file(written).items()}
    save_file({key: value.float() for key, value in small.items()}, written, metadata=read_metadata(written))
    wanted = load(Origin(tiny, loras=(LoraRef(written),)))
    save_file(small, written, metadata=read_metadata(written))
    found = load(Origin(tiny, loras=(LoraRef(written),)))
    for component, tensors in wanted.weights.items():
        for name, value in tensors.items():
            assert torch.equal(value, found.weights[component][name])
    broken = {key: torch.full_like(value, float("nan")) for key, value in small.items()}
    save_file(broken, written, metadata=read_metadata(written))
    with pytest.raises(CheckpointError, match="NaN or infinity"):
        load(Origin(tiny, loras=(LoraRef(written),)))


def read_metadata(path):
    with safe_open(path, framework="pt") as file:
        return file.metadata()


def test_a_scale_beyond_ten_is_refused(written):
    with pytest.raises(ValueError, match="scale of"):
        LoraRef(written, 11)


def test_the_command_line_adds_records_verifies_and_bakes(tiny, written, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["render", str(tiny), "--prompt", "1girl", "--seed", "1", "--threads", "1", "--out", str(out)]
    assert main([*command, "--lora", f"{written}:0.8"]) == 0
    (png,) = out.iterdir()
    (record,) = read_archive(png.read_bytes())[1]["loras"]
    assert record["scale"] == 0.8
    assert len(record["sha256"]) == 64
    assert main(["verify", str(png), "--checkpoint", str(tiny), "--lora", f"{written}:0.8"]) == 0
    assert main(["verify", str(png), "--checkpoint", str(tiny)]) == 4
    assert "differs: loras" in capsys.readouterr().out
    assert main([*command, "--lora", f"{written}:much"]) == 1
    baked = to_folder(Origin(tiny, loras=(LoraRef(written, 0.8),)), tmp_path / "baked", {})
    assert load(Origin(baked.folder)).parts.hashes["unet"] != load(Origin(tiny)).parts.hashes["unet"]
