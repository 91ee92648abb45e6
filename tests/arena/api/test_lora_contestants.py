"""Registering a checkpoint with a LoRA over the API."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from arena.gallery.models import Contestant
from tests.arena.api.test_api import post

pytestmark = pytest.mark.django_db


def test_a_checkpoint_with_a_lora_is_another_contestant(
    authorised: Client, tiny_folder: Path, tiny_lora: Path, queued: list[int]
) -> None:
    body = {"path": str(tiny_folder), "lora": str(tiny_lora), "lora_scale": 0.5}
    plain, added = (
        post(authorised, "/api/checkpoints", {"path": str(tiny_folder)}),
        post(authorised, "/api/checkpoints", body),
    )
    assert (plain.status_code, added.status_code) == (201, 201)
    contestant = Contestant.objects.get(pk=added.json()["id"])
    assert (contestant.lora.file, contestant.lora_scale) == (str(tiny_lora), 0.5)
    assert post(authorised, "/api/checkpoints", body).json() == added.json() | {"created": False}


@pytest.mark.parametrize(
    ("change", "status", "detail"),
    [
        ({"lora": 7}, 400, "'lora' must be the path of a LoRA file"),
        ({"lora": "here.safetensors"}, 400, "not an absolute path"),
        ({"lora": "/nowhere/a.safetensors"}, 404, "there is no file /nowhere/a.safetensors"),
        ({"lora_scale": "much"}, 400, "'lora_scale' must be a number"),
        ({"lora_scale": 11}, 400, "must be from -10 to 10"),
    ],
)
def test_a_wrong_lora_is_refused(
    authorised: Client, tiny_folder: Path, tiny_lora: Path, change: dict[str, Any], status: int, detail: str
) -> None:
    body = {"path": str(tiny_folder), "lora": str(tiny_lora)} | change
    answer = post(authorised, "/api/checkpoints", body)
    assert answer.status_code == status
    assert detail in answer.json()["detail"]
    assert not Contestant.objects.exists()
