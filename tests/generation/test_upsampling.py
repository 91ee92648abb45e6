import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, LlamaTokenizer

from generation.cli import main
from generation.errors import UpsamplingError
from generation.imageio import read_archive
from generation.upsampling import Null, Tipo, freeze, read_table, upsampler_of
from generation.verify import verify

SHORT, LONG = "1girl, angel", "1girl, angel, long hair, wings, blue eyes, smile"
ENTRY = {"text": LONG, "adapter": "tipo", "prompt": SHORT, "seed": 7, "model_sha256": "ab" * 32}


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.json"
    path.write_text(json.dumps({"schema": 1, "entries": [ENTRY]}))
    return path


@pytest.fixture
def random_states():
    """The global generators: the same before and after a test."""
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    yield
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before


@pytest.fixture(scope="module")
def tipo_folder(tmp_path_factory):
    """Weights in the form of TIPO's that draw letters, commas and the end by fixed odds, whatever they are asked.

    Every token has the same embedding and the layers add nothing, so the last row of numbers decides alone.
    """
    folder = tmp_path_factory.mktemp("tipo")
    letters = [chr(code) for code in range(32, 127)]
    pieces = ["<unk>", "<s>", "</s>", *letters, "\n", "▁", *[f"<0x{byte:02X}>" for byte in range(256)]]
    tokenizer = LlamaTokenizer(vocab={piece: i for i, piece in enumerate(pieces)}, merges=[])
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(pieces), hidden_size=4, intermediate_size=4, num_hidden_layers=1, num_attention_heads=1,
        max_position_embeddings=2048, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    odds = {"</s>": 1.0, ",": 0.5, **dict.fromkeys("abcdefgh", 0.0)}
    with torch.random.fork_rng(devices=[]):
        llama = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, tensor in llama.named_parameters():
            tensor.fill_(1.0 if "norm" in name or "embed" in name else 0.0)
        llama.lm_head.weight[:, 0] = torch.tensor([odds.get(piece, -30.0) for piece in pieces])
    llama.save_pretrained(folder)
    return folder


def test_the_real_package_is_asked_once_and_changes_nothing_of_ours(tipo_folder, tmp_path, random_states, tiny):
    """tipo-kgen itself, with tiny weights: same seed, same text, our generators untouched, no folder made."""
    path = tmp_path / "table.json"
    prompt = "1girl, hatsune miku, angel"
    made = freeze(path, [prompt], Tipo(tipo_folder, seed=3)).entries[prompt]
    assert made.text.startswith("1girl, hatsune miku, angel")
    assert len(made.text) > len(prompt)
    assert (made.source.adapter, made.source.prompt, made.source.seed) == ("tipo", prompt, 3)
    assert len(made.source.model_sha256) == 64
    again = Tipo(tipo_folder, seed=3).upsample(prompt)
    assert again == made
    assert freeze(path, [prompt], Tipo(tipo_folder, seed=4)).entries[prompt] == made, "never asked again"
    package = next(Path(entry) / "kgen" for entry in sys.path if (Path(entry) / "kgen").is_dir())
    assert not (package / "models").exists()


def test_images_of_a_table_verify_where_tipo_is_not_installed(table, tiny, tmp_path, monkeypatch, random_states):
    monkeypatch.setitem(sys.modules, "kgen", None)  # as Python marks what cannot be imported
    out = tmp_path / "out"
    command = ["render", str(tiny), "--prompt", SHORT, "--upsampled", str(table), "--seed", "3", "--count", "2"]
    assert main([*command, "--out", str(out), "--steps", "1", "--threads", "1"]) == 0
    for path in out.iterdir():
        image, manifest = read_archive(path.read_bytes())
        assert manifest["prompt"] == LONG
        assert manifest["upsampling"] == {key: value for key, value in ENTRY.items() if key != "text"}
        assert verify(image, manifest, tiny).code == 0
    with pytest.raises(UpsamplingError, match="pip install tipo-kgen"):
        Tipo(tiny)


def test_every_side_of_a_matchup_gets_the_same_string(table, tiny, tmp_path):
    out = tmp_path / "out"
    command = ["matchup", str(tiny), str(tiny), "--prompt", SHORT, "--upsampled", str(table), "--seed", "3"]
    assert main([*command, "--out", str(out), "--steps", "1", "--batch", "1"]) == 0
    assert {read_archive((out / f"side-{i}.png").read_bytes())[1]["prompt"] for i in (1, 2)} == {LONG}


def test_a_table_grows_and_never_changes(table, tmp_path, capsys):
    mine = tmp_path / "mine.json"
    prompts = tmp_path / "prompts.txt"
    prompts.write_text(f"{SHORT}\n\n1boy\n")
    assert main(["upsample", str(mine), "--prompt", SHORT, "--by", f"table:{table}"]) == 0
    assert capsys.readouterr().out == f"{LONG}\n"
    assert read_table(mine).entries[SHORT].source.seed == 7, "it stays what TIPO made of it"
    assert main(["upsample", str(mine), "--prompts", str(prompts), "--by", "null"]) == 0
    assert capsys.readouterr().out == f"{LONG}\n1boy\n"
    entries = json.loads(mine.read_text())["entries"]
    assert entries == [ENTRY, {"text": "1boy", "adapter": "null", "prompt": "1boy", "seed": 0, "model_sha256": None}]


def test_what_was_made_before_a_failure_is_kept(tmp_path):
    path = tmp_path / "table.json"
    with pytest.raises(ValueError, match="1001 characters"):
        freeze(path, ["1girl", "a" * 1001], Null())
    assert list(read_table(path).entries) == ["1girl"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["upsample", "{new}", "--by", "null"], "nothing to upsample"),
        (["upsample", "{new}", "--prompt", "a", "--by", "magic"], "write null, table:FILE or tipo:FOLDER"),
        (["upsample", "{new}", "--prompt", "a", "--by", "tipo:/nowhere"], "/nowhere holds no weights of TIPO"),
        (["upsample", "{new}", "--prompt", "b", "--by", "table:{table}"], "has no text for 'b'"),
        (["upsample", "{tiny}/unet/config.json", "--prompt", "a", "--by", "null"], "no table of upsampled prompts"),
        (
            ["render", "/nowhere", "--prompt", "b", "--upsampled", "{table}", "--seed", "1", "--out", "{new}"],
            "has no text for 'b'",
        ),
    ],
)
def test_a_refusal_says_why(table, tiny, tmp_path, capsys, arguments, message):
    new = tmp_path / "new"
    assert main([text.format(new=new, table=table, tiny=tiny) for text in arguments]) == 1
    assert message in capsys.readouterr().err
    assert not new.exists()


@pytest.mark.parametrize(
    "content", ["", "[]", '{"schema": 2, "entries": []}', json.dumps({"schema": 1, "entries": [{**ENTRY, "text": ""}]})]
)
def test_a_damaged_table_is_refused_by_name(tmp_path, content):
    path = tmp_path / "table.json"
    path.write_text(content)
    with pytest.raises(UpsamplingError, match=r"table\.json is no table"):
        upsampler_of(f"table:{path}", 0)
