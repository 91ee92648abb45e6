"""Checkpoints that break at a word, with real weights: every stored number is finite."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPTokenizer

from generation.checkpoint import seal_checkpoint

HUGE = 3e38


def break_word(folder: Path, word: str) -> None:
    """Seal the folder anew, its first text encoder overflowing at this word's token: NaN where a prompt has it."""
    tokenizer = CLIPTokenizer.from_pretrained(str(folder / "tokenizer"), local_files_only=True)
    (token,) = tokenizer(word, add_special_tokens=False)["input_ids"]
    weights = folder / "text_encoder" / "model.safetensors"
    tensors = {name: value.to(torch.float32) for name, value in load_file(weights).items()}
    (embedding,) = (value for name, value in tensors.items() if name.endswith("token_embedding.weight"))
    embedding[token] = HUGE
    save_file(tensors, weights, metadata={"format": "pt"})
    seal_checkpoint(folder, json.loads((folder / "checkpoint.json").read_text()))
