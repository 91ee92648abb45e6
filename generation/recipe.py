"""What is asked of a checkpoint: the Recipe shared by all images of a Contestant, and one request per image."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from generation.canonical import canonical_sha256
from generation.tags import RATINGS

SAMPLERS = ("euler_a", "euler", "dpmpp_2m")
SPACINGS = ("trailing", "leading", "karras")
PADDINGS = ("as_trained", "masked", "full77", "minimal")
PROMPT_SYNTAXES = ("literal", "a1111")
LONG_PROMPTS = ("cut", "chunks")
EMPTY_NEGATIVES = ("encode", "zero")
CONTENT_RATINGS = tuple(RATINGS.values())
CHOICES = {
    "sampler": SAMPLERS,
    "spacing": SPACINGS,
    "padding": PADDINGS,
    "prompt_syntax": PROMPT_SYNTAXES,
    "long_prompts": LONG_PROMPTS,
    "empty_negative": EMPTY_NEGATIVES,
    "content_rating": ("", *CONTENT_RATINGS),
}
ADDED = ("padding", "prompt_syntax", "long_prompts", "empty_negative", "content_rating", "banned_tags")
MAX_STEPS = 150
MAX_CFG = 30.0
MAX_SIDE = 2048
MAX_RATIO = 10
MAX_BATCH = 64
MAX_PROMPT_CHARACTERS = 1000
MAX_SEED = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Recipe:
    """How images are rendered; frozen into a Contestant, so two of them differ in nothing but what is named here.

    Attributes:
        sampler: one of `SAMPLERS`; ``euler_a`` adds fresh noise at each step, ``euler`` and ``dpmpp_2m`` do not.
        steps: evaluations of the UNet per image, 1..150.
        cfg: guidance scale of classifier-free guidance, 0..30; 1 means no guidance.
        width, height: pixels, multiples of 8 up to 2048, not more elongated than 1:10.
        negative_prompt: text of the unconditional half; the empty string is encoded like any other text.
        batch: rows of every forward pass, 1..64; fixed, because the shape of a batch decides the last bits of a pixel.
        spacing: which noise levels the steps visit, one of `SPACINGS` (docs/euler-ancestral.md, docs/dpmpp-2m.md).
        padding: what cross-attention sees of padding tokens (docs/prompts.md): nothing, by a mask (``masked``) or by
            cutting them off (``minimal``); all of them (``full77``); or as the checkpoint says of its own training.
        prompt_syntax: ``a1111`` reads weights such as ``(smile:1.2)``, ``literal`` takes every character as text.
        long_prompts: text beyond the encoders' positions is dropped (``cut``) or goes into further ``chunks``.
        empty_negative: an empty negative prompt is encoded like any other text, or stands for all zeros.
        content_rating: Danbooru's rating token that every positive prompt gets; another one in a prompt is refused.
        banned_tags: separated by commas; prompts that hold one are refused.

    The last six joined later: their defaults are what was done before, and are left out of `to_dict`, so that older
    recipes keep their hash. A new checkpoint should start from a preset instead (`generation.sealing.PAPER_RECIPE`).

    Raises ValueError naming the field when a value is outside its range.
    """

    sampler: str = "euler_a"
    steps: int = 12
    cfg: float = 2.0
    width: int = 64
    height: int = 64
    negative_prompt: str = ""
    batch: int = 8
    spacing: str = "trailing"
    padding: str = "as_trained"
    prompt_syntax: str = "literal"
    long_prompts: str = "cut"
    empty_negative: str = "encode"
    content_rating: str = ""
    banned_tags: str = ""

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            _check_choice(name, getattr(self, name), choices)
        _check_whole("steps", self.steps, 1, MAX_STEPS)
        _check_whole("batch", self.batch, 1, MAX_BATCH)
        _check_size(self.width, self.height)
        if isinstance(self.cfg, bool) or not isinstance(self.cfg, int | float) or not 0 <= self.cfg <= MAX_CFG:
            raise ValueError(f"recipe field 'cfg' must be a number from 0 to {MAX_CFG:g}, got {self.cfg!r}")
        object.__setattr__(self, "cfg", float(self.cfg))
        for name in ("negative_prompt", "banned_tags"):
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > MAX_PROMPT_CHARACTERS:
                raise ValueError(f"field {name!r} must be text of at most {MAX_PROMPT_CHARACTERS} characters")

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values, those of `ADDED` only where they are not at their default.

        `from_dict` is the inverse.
        """
        added = {name for name in ADDED if getattr(self, name) == Recipe.__dataclass_fields__[name].default}
        return {name: value for name, value in asdict(self).items() if name not in added}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """A Recipe from a mapping; missing fields take their defaults. Raises ValueError naming an unknown field."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"recipe field {unknown[0]!r} is unknown; known are {[f.name for f in fields(cls)]}")
        return cls(**values)

    @property
    def sha256(self) -> str:
        """Identity of the recipe: the hash of its canonical JSON."""
        return canonical_sha256(self.to_dict())


@dataclass(frozen=True, slots=True)
class Upsampling:
    """Where a prompt's text came from, if it is not what was asked: see `generation.upsampling`.

    Attributes:
        adapter: ``tipo``, or ``null`` where the text was left as it is.
        prompt: what was asked.
        seed: of the adapter.
        model_sha256: hash of the adapter's weights, None where it has none.
    """

    adapter: str
    prompt: str
    seed: int
    model_sha256: str | None


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One image to render: a prompt of 1..1000 characters and a seed in 0..2**64-1. Raises ValueError otherwise.

    ``upsampling`` says where the prompt came from; it goes into the Manifest and changes no pixel.
    """

    prompt: str
    seed: int
    upsampling: Upsampling | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.prompt, str) or not self.prompt.strip():
            raise ValueError("the prompt is empty: write at least one tag")
        if len(self.prompt) > MAX_PROMPT_CHARACTERS:
            raise ValueError(f"the prompt has {len(self.prompt)} characters; at most {MAX_PROMPT_CHARACTERS} fit")
        _check_whole("seed", self.seed, 0, MAX_SEED)


@dataclass(frozen=True, slots=True)
class Broken:
    """A request of which no usable image came: NaN, infinite or constant pixels, also at a second decoding."""

    request: ImageRequest
    problem: str


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"recipe field {name!r} must be one of {', '.join(choices)}, got {value!r}")


def _check_whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"field {name!r} must be a whole number from {low} to {high}, got {value!r}")


def _check_size(width: object, height: object) -> None:
    for name, side in (("width", width), ("height", height)):
        if isinstance(side, int) and side > MAX_SIDE:
            raise ValueError(f"field {name!r} is {side}, {MAX_SIDE} is the most; render smaller and upscale")
        _check_whole(name, side, 8, MAX_SIDE)
        if int(side) % 8:  # type: ignore[call-overload]
            raise ValueError(f"field {name!r} must be a multiple of 8, got {side!r}")
    longer, shorter = max(int(width), int(height)), min(int(width), int(height))  # type: ignore[call-overload]
    if longer > MAX_RATIO * shorter:
        raise ValueError(f"size {width}x{height} is more elongated than 1:{MAX_RATIO}; render a squarer image")
