"""What can go wrong between a checkpoint folder and an image. Every message names the thing and the remedy."""


class GenerationError(Exception):
    """Base of every error that `generation` raises on purpose."""


class CheckpointError(GenerationError):
    """A checkpoint folder is incomplete, damaged, or not what its ``checkpoint.json`` says."""


class ImageError(GenerationError):
    """A PNG cannot be read, or carries no Manifest."""


class RenderError(GenerationError):
    """Rendering gave no usable image (NaN, infinite or constant pixels), or the recipe does not fit the checkpoint."""


class UpsamplingError(GenerationError):
    """A prompt cannot be upsampled: its text is in no table, or TIPO is not here, or failed."""


class Cancelled(GenerationError):
    """The caller's ``should_stop`` answered true; nothing of the current batch was delivered."""
