"""Fixtures of this folder."""

from tests.arena.tiny import media, small_dataset, tiny_folder, tiny_lora

__all__ = ["media", "small_dataset", "tiny_folder", "tiny_lora"]
