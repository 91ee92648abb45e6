"""The gallery in Django's admin. What was rendered or registered is shown, not edited."""

from django.contrib import admin

from arena.gallery.models import Character, Checkpoint, Contestant, Lora, Prompt, PromptSet, Run, Sample
from arena.recorded import Recorded


@admin.register(Run)
class RunAdmin(Recorded):
    list_display = ("name", "preset", "state", "epoch", "epochs", "updated_at")
    list_filter = ("state", "preset")
    search_fields = ("name",)


@admin.register(Checkpoint)
class CheckpointAdmin(Recorded):
    list_display = ("name", "run", "epoch", "step", "sha256", "licence", "created_at")
    list_filter = ("run",)
    search_fields = ("name", "sha256")


@admin.register(Lora)
class LoraAdmin(Recorded):
    list_display = ("name", "sha256", "trained_on", "licence", "created_at")
    list_select_related = ("trained_on",)
    search_fields = ("name", "sha256")


@admin.register(Contestant)
class ContestantAdmin(Recorded):
    list_display = ("__str__", "checkpoint", "lora", "recipe_sha256", "created_at")
    list_select_related = ("checkpoint", "lora")


@admin.register(Character)
class CharacterAdmin(admin.ModelAdmin):
    list_display = ("name", "tags")
    search_fields = ("name",)


@admin.register(PromptSet)
class PromptSetAdmin(admin.ModelAdmin):
    list_display = ("slug", "title", "seeds")


@admin.register(Prompt)
class PromptAdmin(admin.ModelAdmin):
    list_display = ("text", "prompt_set", "character", "origin", "created_at")
    list_filter = ("prompt_set", "origin")
    list_select_related = ("prompt_set", "character")
    search_fields = ("text",)


@admin.register(Sample)
class SampleAdmin(Recorded):
    list_display = ("id", "contestant", "prompt", "seed", "created_at")
    list_filter = ("prompt__prompt_set",)
    list_select_related = ("contestant__checkpoint", "contestant__lora", "prompt")
