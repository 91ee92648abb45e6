"""The families of diffusers checkpoints that can be rendered, and in what they differ. No torch here.

A family is a row of `FAMILIES`; docs/families.md says what a further one needs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generation.errors import CheckpointError


@dataclass(frozen=True, slots=True)
class Family:
    """One architecture.

    Attributes:
        name: ``architecture`` in ``checkpoint.json``.
        pipeline: diffusers' class, ``_class_name`` in ``model_index.json``.
        components: those with weights, the text encoders in the order in which their states stand side by side.
        tokenizers: one for each text encoder.
        penultimate: cross-attention sees the last but one layer of the text encoders; otherwise the last, normalised.
        pooled: the UNet also gets the last encoder's pooled text and the picture's sizes (``text_time``).
        side: native width and height in pixels.
        single_text: where a single file keeps the first text encoder.
        modelspec: ``modelspec.architecture`` of a single file.
    """

    name: str
    pipeline: str
    components: tuple[str, ...]
    tokenizers: tuple[str, ...]
    penultimate: bool
    pooled: bool
    side: int
    single_text: str
    modelspec: str

    @property
    def text_encoders(self) -> tuple[str, ...]:
        """Names of the components that read text."""
        return tuple(name for name in self.components if name.startswith("text_encoder"))

    @property
    def adapted(self) -> tuple[str, ...]:
        """Names of the components that a LoRA may change."""
        return tuple(name for name in self.components if name != "vae")


SDXL = Family(
    name="sdxl",
    pipeline="StableDiffusionXLPipeline",
    components=("unet", "vae", "text_encoder", "text_encoder_2"),
    tokenizers=("tokenizer", "tokenizer_2"),
    penultimate=True,
    pooled=True,
    side=1024,
    single_text="conditioner.embedders.0.transformer.text_model.",
    modelspec="stable-diffusion-xl-v1-base",
)
SD15 = Family(
    name="sd15",
    pipeline="StableDiffusionPipeline",
    components=("unet", "vae", "text_encoder"),
    tokenizers=("tokenizer",),
    penultimate=False,
    pooled=False,
    side=512,
    single_text="cond_stage_model.transformer.text_model.",
    modelspec="stable-diffusion-v1",
)
FAMILIES = {family.name: family for family in (SDXL, SD15)}


def family_named(name: Any, source: Path) -> Family:
    """The family that a ``checkpoint.json`` names. Raises CheckpointError naming the known ones."""
    if name not in FAMILIES:
        raise CheckpointError(f"{source}: architecture {name!r} cannot be rendered; known are {', '.join(FAMILIES)}")
    return FAMILIES[name]


def family_of_pipeline(pipeline: Any, source: Path) -> Family:
    """The family that a ``model_index.json`` names by its pipeline. Raises CheckpointError naming the known ones."""
    for family in FAMILIES.values():
        if family.pipeline == pipeline:
            return family
    known = ", ".join(f"{family.pipeline} ({family.name})" for family in FAMILIES.values())
    raise CheckpointError(f"{source}: _class_name {pipeline!r} cannot be rendered; known are {known}")
