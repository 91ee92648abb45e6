"""Build the Manifest of a rendered image from what actually rendered it. `provenance` says what becomes of it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from PIL import Image

from generation.batch import BatchNoise, latent_shape
from generation.canonical import canonical_sha256
from generation.conditioning import padding_of, read_text
from generation.content import sent_prompt
from generation.denoise import schedule_of
from generation.errors import RenderError
from generation.imageio import pixel_sha256
from generation.loading import Parts
from generation.modes import PLAIN, Mode
from generation.provenance import MAX_BYTES, SCHEMA, checkpoint_record, environment, manifest_json
from generation.recipe import ImageRequest, Recipe
from generation.samplers import Schedule
from generation.tokens import Tokens

SIGMA_DECIMALS = 5
# Above this many ids a text is recorded by their number and hash: text and tokenizer still determine them.
LISTED_IDS = 160


def shared_manifest(
    parts: Parts, recipe: Recipe, mode: Mode = PLAIN, *, compiled: str | bool = False
) -> dict[str, Any]:
    """What all images of a recipe and a mode have in common."""
    record = mode.record()
    for passed, one in zip(record.get("passes", ()), mode.passes, strict=True):
        passed["schedule"] = _levels(schedule_of(parts, one.of(recipe), one.strength))
    return {
        "schema": SCHEMA,
        "mode": mode.name,
        **record,
        "checkpoint": checkpoint_record(parts.info),
        "components": dict(parts.hashes),
        "loras": [dict(lora) for lora in parts.loras],
        "recipe": recipe.to_dict(),
        "recipe_sha256": recipe.sha256,
        "padding": padding_of(recipe, parts.info),
        "negative_tokens": token_record(parts, recipe, recipe.negative_prompt),
        "schedule": _levels(schedule_of(parts, recipe, mode.strength)),
        "batch_shape": [recipe.batch, *latent_shape(parts, recipe.width, recipe.height)],
        "dtype": dtype_name(parts.dtype),
        "vae_dtype": dtype_name(parts.vae.dtype),
        "environment": environment(
            threads=torch.get_num_threads(),
            device=device_name(parts.device),
            cpu_capability=torch.backends.cpu.get_cpu_capability(),
            compiled=compiled,
        ),
    }


def text_record(parts: Parts, recipe: Recipe, request: ImageRequest) -> dict[str, Any]:
    """What was asked, and what the checkpoint got. Raises RenderError for a prompt that the recipe bans."""
    sent = sent_prompt(recipe, request.prompt)
    return {
        "prompt": request.prompt,
        **({"sent_prompt": sent} if sent != request.prompt else {}),
        **({"upsampling": asdict(request.upsampling)} if request.upsampling else {}),
        "seed": request.seed,
        "tokens": token_record(parts, recipe, sent),
    }


def _levels(schedule: Schedule) -> dict[str, Any]:
    return {
        "timesteps": [round(t, SIGMA_DECIMALS) for t in schedule.timesteps],
        "sigmas": [round(sigma, SIGMA_DECIMALS) for sigma in schedule.sigmas],
    }


def own_manifest(
    parts: Parts, recipe: Recipe, mode: Mode, request: ImageRequest, noise: BatchNoise, image: Image.Image
) -> dict[str, Any]:
    """What one image has of its own."""
    drawn = noise.sha256(request.seed)
    later = {purpose: drawn[purpose] for purpose in sorted(drawn) if purpose not in ("initial", "ancestral")}
    return {
        **({"pass_noise_sha256": later} if mode.passes else {}),
        **text_record(parts, recipe, request),
        "noise_sha256": drawn["initial"],
        "ancestral_noise_sha256": drawn.get("ancestral"),
        "pixel_sha256": pixel_sha256(image),
    }


def check_sizes(
    parts: Parts,
    recipe: Recipe,
    requests: Sequence[ImageRequest],
    mode: Mode = PLAIN,
    *,
    compiled: str | bool = False,
) -> None:
    """Raise RenderError when the Manifest of a request would not fit into its 8 KB: texts are too long for it."""
    hashes = dict.fromkeys(("noise_sha256", "ancestral_noise_sha256", "pixel_sha256"), "0" * 64)
    later = {f"pass{i}/{purpose}": "0" * 64 for i in range(len(mode.passes)) for purpose in ("initial", "ancestral")}
    known = {**shared_manifest(parts, recipe, mode, compiled=compiled), **hashes, "pass_noise_sha256": later}
    shared = len(manifest_json(known).encode())
    for request in requests:
        size = shared + len(manifest_json(text_record(parts, recipe, request)).encode())
        if size > MAX_BYTES:
            raise RenderError(
                f"the manifest of prompt {request.prompt[:40]!r} would take {size} bytes, {MAX_BYTES} are the limit: "
                "shorten the prompt or the negative prompt (characters beyond ASCII take two to four bytes)"
            )


def token_record(parts: Parts, recipe: Recipe, text: str) -> dict[str, Any]:
    """Ids per text encoder without padding, chunk by chunk, and where the text was cut.

    ``text[cut_from:]`` had no effect. The second encoder's ids are None where they equal the first's, or there is none:
    so a text that two families read alike has one record.
    """
    first, *others = read_text(parts, recipe, text)
    second = others[0] if others else first
    ids = [_ids(first), _ids(second)]
    record: dict[str, Any] = {
        "ids": [ids[0], None if ids[0] == ids[1] else ids[1]],
        "chunks": [len(first.chunks), len(second.chunks)],
        "cut_tokens": [len(first.cut), len(second.cut)],
        "cut_from": [first.cut_from, second.cut_from],
    }
    if recipe.prompt_syntax == "a1111":
        record["weights_sha256"] = canonical_sha256([chunk.weights for chunk in first.chunks])
    return record


def _ids(tokens: Tokens) -> list[int] | dict[str, Any]:
    ids = [number for chunk in tokens.chunks for number in chunk.ids[: chunk.length]]
    return ids if len(ids) <= LISTED_IDS else {"count": len(ids), "sha256": canonical_sha256(ids)}


def dtype_name(dtype: torch.dtype) -> str:
    """``float32``, ``bfloat16`` or ``float16``."""
    return str(dtype).removeprefix("torch.")


def device_name(device: torch.device) -> str:
    """``cpu``, or a GPU's name with all that decides its arithmetic: CUDA, cuDNN, and whether TF32 is allowed."""
    if device.type != "cuda":
        return device.type
    flags = {"tf32-matmul": torch.backends.cuda.matmul.allow_tf32, "tf32-conv": torch.backends.cudnn.allow_tf32}
    allowed = [name for name, on in flags.items() if on]
    words = ["cuda", torch.version.cuda, "cudnn", torch.backends.cudnn.version(), *allowed]
    return " ".join(map(str, [*words, torch.cuda.get_device_name(device)]))
