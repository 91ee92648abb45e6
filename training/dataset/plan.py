"""Which posts a data set has, and each post's record: a pure function of the plan and the post's id."""

import datetime
import hashlib
import random
from dataclasses import dataclass

from training.dataset.characters import CHARACTERS, RESERVED_LOOKS
from training.dataset.render import SIZE, png_bytes
from training.dataset.scenes import Scene, generic_scene, random_scene
from training.dataset.tables import ARTIST, COPYRIGHT
from training.rng import stream

FIRST_DAY = datetime.datetime(2012, 1, 1, tzinfo=datetime.UTC)
LAST_DAY = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
POSTS_PER_FOLDER = 1000


@dataclass(frozen=True)
class Plan:
    """A data set to make: ``images`` generic posts (ids 1..images), then ``named`` posts for each named character."""

    seed: int = 0
    images: int = 6000
    named: int = 40

    def __len__(self) -> int:
        return self.images + self.named * len(CHARACTERS)

    def character(self, post_id: int) -> str | None:
        """The named character of a post, None for a generic one."""
        if post_id <= self.images:
            return None
        return list(CHARACTERS)[(post_id - self.images - 1) // self.named]

    def scene(self, post_id: int) -> Scene:
        """What the post shows."""
        rng = stream(self.seed, "scene", post_id)
        name = self.character(post_id)
        return generic_scene(rng, RESERVED_LOOKS) if name is None else random_scene(rng, CHARACTERS[name])


def image_path(post_id: int) -> str:
    """Where the post's picture lies in the data set's folder."""
    return f"images/{post_id // POSTS_PER_FOLDER:02d}/{post_id:06d}.png"


def _synthetic_reception(rng: random.Random) -> dict[str, object]:
    """Date and scores that no person gave: uniform dates 2012-2025, log-normal scores, favourites about 0.8 of them."""
    seconds = int((LAST_DAY - FIRST_DAY).total_seconds())
    created_at = FIRST_DAY + datetime.timedelta(seconds=rng.randrange(seconds))
    score = int(rng.lognormvariate(2.3, 1.0))
    favourites = int(score * rng.uniform(0.5, 1.1))
    return {"created_at": created_at.isoformat(timespec="milliseconds"), "score": score, "fav_count": favourites}


def make_post(plan: Plan, post_id: int) -> tuple[dict[str, object], bytes]:
    """The post's Danbooru-style record and its picture's PNG bytes, from (plan, post_id) alone."""
    scene = plan.scene(post_id)
    png = png_bytes(scene)
    general = " ".join(scene.general_tags())
    character = plan.character(post_id) or ""
    tags = " ".join(filter(None, (general, character, COPYRIGHT, ARTIST)))
    record = {
        "id": post_id,
        **_synthetic_reception(stream(plan.seed, "reception", post_id)),
        "rating": "g",
        "image_width": SIZE,
        "image_height": SIZE,
        "file_ext": "png",
        "md5": hashlib.md5(png, usedforsecurity=False).hexdigest(),
        "file_path": image_path(post_id),
        "source": "",
        "tag_string": " ".join(sorted(tags.split())),
        "tag_string_general": general,
        "tag_string_character": character,
        "tag_string_copyright": COPYRIGHT,
        "tag_string_artist": ARTIST,
        "tag_string_meta": "",
    }
    return record, png
