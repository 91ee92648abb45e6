import torch

from generation.checkpoint import read_checkpoint
from generation.loading import load_parts
from generation.recipe import Recipe
from generation.tiny import write_tiny_checkpoint


def test_the_same_seed_gives_the_same_folder(tiny, tmp_path):
    info = write_tiny_checkpoint(tmp_path / "again", seed=1)
    assert info.sha256 == read_checkpoint(tiny).sha256
    assert {p.name: p.read_bytes() for p in (tmp_path / "again").rglob("*.*")} == {
        p.name: p.read_bytes() for p in tiny.rglob("*.*")
    }


def test_seed_run_and_epoch_each_give_other_weights(tmp_path):
    variants = [{"seed": 1}, {"seed": 2}, {"seed": 1, "run": "other"}, {"seed": 1, "epoch": 1}]
    hashes = {write_tiny_checkpoint(tmp_path / str(i), **variant).sha256 for i, variant in enumerate(variants)}
    assert len(hashes) == 4


def test_what_is_asked_for_is_written_down(tmp_path):
    info = write_tiny_checkpoint(tmp_path / "deep" / "folder", seed=3, epoch=2, run="demo", pad_mask=True)
    assert (info.run, info.epoch, info.name, info.pad_mask) == ("demo", 2, "demo epoch 2", True)
    assert info.recipe == Recipe(steps=2, batch=4)
    assert info.folder == tmp_path / "deep" / "folder"


def test_writing_leaves_the_global_random_numbers_alone(tmp_path):
    before = torch.random.get_rng_state()
    write_tiny_checkpoint(tmp_path / "tiny", seed=4)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_it_is_tiny_and_has_text_encoders_of_different_width(tiny):
    parts = load_parts(tiny)
    modules = (parts.unet, parts.vae, parts.text_encoder, parts.text_encoder_2)
    assert sum(tensor.numel() for module in modules for tensor in module.parameters()) < 150_000
    assert parts.text_encoder.config.hidden_size != parts.text_encoder_2.config.hidden_size
