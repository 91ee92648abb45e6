"""One request for several checkpoints: everything equal but the weights, or no images at all."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from generation.canonical import canonical_sha256
from generation.errors import RenderError
from generation.provenance import differing_fields

# What a checkpoint is, and what therefore comes out, may differ between the sides; nothing else may.
OF_THE_WEIGHTS = ("checkpoint.", "components.", "loras", "pixel_sha256")


def check_equal_conditions(manifests: Sequence[Mapping[str, Any]]) -> None:
    """Raise RenderError naming the first field in which sides differ besides their weights.

    A prediction type, and whether padding is masked, belong to a checkpoint; how padding *was* treated (the policy in
    force) does not, so two checkpoints trained differently need a recipe that names one policy for both.

    Raises ValueError for fewer than two sides.
    """
    if len(manifests) < 2:
        raise ValueError(f"a matchup has at least two sides, got {len(manifests)}")
    first, *others = manifests
    for number, other in enumerate(others, 2):
        unequal = [name for name in differing_fields(first, other) if not name.startswith(OF_THE_WEIGHTS)]
        if unequal:
            raise RenderError(
                f"sides 1 and {number} differ in {unequal[0]}, not in their weights alone: render both with one "
                "recipe, seed, prompt and environment"
            )


def conditions_hash(manifest: Mapping[str, Any]) -> int:
    """63 bits that are equal for two Manifests if, and only if, `check_equal_conditions` lets them meet."""
    names = {name.rstrip(".") for name in OF_THE_WEIGHTS}
    compared = {name: value for name, value in manifest.items() if name not in names}
    return int(canonical_sha256(_said(compared))[:16], 16) >> 1


def _said(value: Any) -> Any:
    """Without fields that are None, which is as good as not there."""
    if not isinstance(value, Mapping):
        return value
    return {name: _said(inner) for name, inner in value.items() if inner is not None}


def render_matchup(sides: Iterable[Any], recipe: Any, request: Any, **options: Any) -> list[Any]:
    """The images of one request by every side, released together.

    Args:
        sides: renderers, or an iterator that yields one renderer after it was swapped.
        recipe, request, options: as for `generation.renderer.Renderer.render`, the same for each side.

    Raises RenderError, and gives no image at all, when a side's image is broken or the sides' conditions differ.
    """
    images = [next(side.render(recipe, [request], **options)) for side in sides]
    check_equal_conditions([image.manifest for image in images])
    return images
