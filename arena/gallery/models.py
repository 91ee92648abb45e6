"""What is compared: checkpoints of runs, contestants, characters, prompts and the samples rendered from them."""

from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac

from generation.recipe import ImageRequest, Recipe, Upsampling


class ImportedError(ValueError):
    """Something is asked of an imported contestant that needs its weights."""


class Run(models.Model):
    """One training run as it last reported itself over the API; its checkpoints are its epochs."""

    class State(models.TextChoices):
        TRAINING = "training"
        DONE = "done"
        STOPPED = "stopped"
        FAILED = "failed"

    name = models.CharField(max_length=200, unique=True)
    preset = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=20, choices=State, default=State.DONE)
    epoch = models.PositiveIntegerField(default=0)
    epochs = models.PositiveIntegerField(default=0)
    step = models.PositiveIntegerField(default=0)
    total_steps = models.PositiveIntegerField(default=0)
    loss = models.FloatField(null=True, blank=True)
    images_per_second = models.FloatField(null=True, blank=True)
    eta_seconds = models.FloatField(null=True, blank=True)
    message = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return self.name

    @property
    def percent(self) -> int:
        """How much of the planned steps is done, 0-100."""
        return round(100 * self.step / self.total_steps) if self.total_steps else 0


class Checkpoint(models.Model):
    """Weights at one step of a run: a complete folder on disk, known by the hash of its content.

    An imported one stands for a closed system: images without weights, no folder, known by the hash of its name.
    """

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="checkpoints")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    name = models.CharField(max_length=200)
    epoch = models.PositiveIntegerField(default=0)
    step = models.PositiveIntegerField(default=0)
    sha256 = models.CharField(max_length=64, unique=True)
    folder = models.CharField(max_length=1000)
    licence = models.CharField(max_length=100, blank=True)
    attribution = models.TextField(blank=True)
    imported = models.BooleanField(default=False, help_text="Only its images are here: they cannot be rendered again.")
    manifest = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("run_id", "epoch", "step", "id")

    def __str__(self) -> str:
        return self.name


class Lora(models.Model):
    """A LoRA file, known by its hash: small changes to the weights of any checkpoint that it fits."""

    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64, unique=True)
    file = models.CharField(max_length=1000)
    trained_on = models.ForeignKey(
        Checkpoint, null=True, blank=True, on_delete=models.PROTECT, related_name="loras", help_text="If it is known."
    )
    licence = models.CharField(max_length=100, blank=True)
    attribution = models.TextField(blank=True)
    facts = models.JSONField(default=dict, help_text="Ranks, layers and training, as the file says.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.name


class Contestant(models.Model):
    """A checkpoint with a frozen recipe, perhaps with a LoRA added: what is rated."""

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="contestants")
    lora = models.ForeignKey(Lora, null=True, blank=True, on_delete=models.PROTECT, related_name="contestants")
    lora_scale = models.FloatField(default=1.0, help_text="How strongly the LoRA is added.")
    recipe = models.JSONField()
    recipe_sha256 = models.CharField(max_length=64, help_text="Of the recipe, and of the LoRA and its scale if any.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("checkpoint", "recipe_sha256"), name="one_contestant_per_recipe"),
        )

    def __str__(self) -> str:
        return self.checkpoint.name + (f" + {self.added}" if self.lora else "")

    @property
    def added(self) -> str:
        """The LoRA, with its scale where that is not 1; empty without one."""
        if self.lora is None:
            return ""
        return self.lora.name + (f":{self.lora_scale:g}" if self.lora_scale != 1 else "")

    @property
    def weights(self) -> str:
        """What tells the weights that render from any others: the checkpoint's hash, and the LoRA's with its scale."""
        return self.checkpoint.sha256 + (f"+{self.lora.sha256}*{self.lora_scale}" if self.lora else "")

    def frozen_recipe(self) -> Recipe:
        """The recipe as the renderer takes it. Raises ImportedError where there is none."""
        if self.checkpoint.imported:
            raise ImportedError(
                f"{self} is imported: its images cannot be rendered; `manage.py import_images` adds some"
            )
        return Recipe.from_dict(self.recipe)


class Character(models.Model):
    """A named character that checkpoints are asked for."""

    name = models.CharField(max_length=100, unique=True)
    tags = models.JSONField(default=list, help_text="Identity tags, with spaces.")
    references = models.JSONField(default=list, help_text="Storage names of reference images.")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class PromptSet(models.Model):
    """Prompts and seeds that every contestant of a poll renders alike."""

    slug = models.SlugField(unique=True)
    title = models.CharField(max_length=200)
    seeds = models.JSONField(default=list, help_text="Every prompt is rendered once with each of these seeds.")

    class Meta:
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.title


class Prompt(models.Model):
    """One text; a volunteer's own prompt joins the pool of its set."""

    class Origin(models.TextChoices):
        SET = "set"
        VOLUNTEER = "volunteer"

    prompt_set = models.ForeignKey(PromptSet, on_delete=models.PROTECT, related_name="prompts")
    text = models.CharField(max_length=2000)
    character = models.ForeignKey(Character, null=True, blank=True, on_delete=models.PROTECT, related_name="prompts")
    origin = models.CharField(max_length=20, choices=Origin, default=Origin.SET)
    upsampling: Any = models.JSONField(default=dict, blank=True, help_text="Of a longer text: where it came from.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("prompt_set", "text"), name="one_prompt_per_text"),)

    def __str__(self) -> str:
        return self.text[:80]

    def request(self, seed: int) -> ImageRequest:
        """What the renderer is asked. Raises ValueError for a text that it does not take."""
        return ImageRequest(self.text, seed, Upsampling(**self.upsampling) if self.upsampling else None)


def archive_name(sample: "Sample", filename: str) -> str:
    """Where the archived PNG (with its manifest) goes; never served before a vote."""
    contestant = sample.contestant
    folder = f"{contestant.checkpoint.sha256[:16]}-{contestant.recipe_sha256[:8]}"
    return f"archive/{folder}/{sample.prompt_id}-{sample.seed}.png"


def blind_name(sample: "Sample", filename: str) -> str:
    """Where the copy without metadata goes: a name that tells nothing, yet is the same at a second attempt."""
    key = f"{sample.contestant_id}/{sample.prompt_id}/{sample.seed}"
    return f"blind/{salted_hmac('arena.gallery.blind', key).hexdigest()[:32]}.png"


class Sample(models.Model):
    """One generated image. The row exists if, and only if, both of its files were written."""

    contestant = models.ForeignKey(Contestant, on_delete=models.PROTECT, related_name="samples")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="samples")
    seed = models.PositiveBigIntegerField()
    archive = models.FileField(upload_to=archive_name, max_length=300)
    blind = models.FileField(upload_to=blind_name, max_length=300)
    pixel_sha256 = models.CharField(max_length=64)
    manifest: Any = models.JSONField(default=dict)
    conditions = models.BigIntegerField(
        null=True, help_text="generation.matchup.conditions_hash of the manifest; samples meet only where it is equal."
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("contestant", "prompt", "seed"), name="one_sample_per_prompt_and_seed"),
        )
        indexes = (
            models.Index(fields=("prompt", "seed")),
            # Pairing counts all samples of a poll for every ticket: this has all that it asks for.
            models.Index(fields=("contestant", "prompt", "seed", "conditions"), name="sample_conditions"),
        )

    def __str__(self) -> str:
        return f"{self.contestant}, prompt {self.prompt_id}, seed {self.seed}"
