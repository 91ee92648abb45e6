import dataclasses

import pytest

from generation.content import sent_prompt
from generation.errors import RenderError
from generation.imageio import archive_png, pixel_sha256, read_archive
from generation.recipe import ImageRequest, Recipe
from generation.verify import verify

GENERAL = Recipe(steps=1, batch=2, content_rating="general", banned_tags="nude, bad_word")


@pytest.mark.parametrize(
    ("prompt", "sent"),
    [
        ("1girl, blue hair", "1girl, general, blue hair"),
        ("1girl, 2boys, blue hair", "1girl, 2boys, general, blue hair"),
        ("multiple girls,smile", "multiple girls, general, smile"),
        ("blue hair", "general, blue hair"),
        ("1girl", "1girl, general"),
        ("1girl, smile, (General:1.2)", "1girl, smile, (General:1.2)"),
        ("a girl in a general store", "general, a girl in a general store"),
    ],
)
def test_the_rating_token_follows_the_person_counts(prompt, sent):
    assert sent_prompt(GENERAL, prompt) == sent
    assert sent_prompt(Recipe(), prompt) == prompt


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("1girl, nude", "'nude' is banned"),
        ("1girl, (NU\u0301DE:1.3)", "'nude' is banned"),
        ("1girl, bad word", "'bad_word' is banned"),
        ("1girl, explicit", "asks for 'explicit'; the recipe's content rating is 'general'"),
        ("1girl, [sensitive]", "asks for 'sensitive'"),
        ("1girl, general, (explicit:1.25)", "asks for 'explicit'"),
    ],
)
def test_banned_tags_and_other_ratings_are_refused_before_rendering(renderer, prompt, message):
    with pytest.raises(RenderError, match=message):
        renderer.render(GENERAL, [ImageRequest("1girl", 1), ImageRequest(prompt, 1)])


def test_words_that_only_contain_a_banned_tag_are_taken():
    assert sent_prompt(GENERAL, "1girl, denuded tree") == "1girl, general, denuded tree"


def test_the_token_reaches_the_encoders_and_the_manifest(renderer, tiny):
    plain = dataclasses.replace(GENERAL, content_rating="", banned_tags="")
    rated = next(renderer.render(GENERAL, [ImageRequest("1girl, smile", 3)]))
    typed = next(renderer.render(plain, [ImageRequest("1girl, general, smile", 3)]))
    assert pixel_sha256(rated.image) == pixel_sha256(typed.image)
    assert rated.manifest["tokens"] == typed.manifest["tokens"]
    assert (rated.manifest["prompt"], rated.manifest["sent_prompt"]) == ("1girl, smile", "1girl, general, smile")
    assert rated.manifest["recipe"]["content_rating"] == "general"
    assert rated.manifest["recipe"]["banned_tags"] == "nude, bad_word"
    assert "sent_prompt" not in typed.manifest
    png = archive_png(rated.image, rated.manifest)
    assert b"1girl, general, smile\n" in png, "other programs read what the checkpoint got"
    assert verify(*read_archive(png), tiny).code == 0


def test_the_policy_is_part_of_the_recipe_and_older_recipes_keep_their_hash():
    assert "content_rating" not in Recipe().to_dict()
    assert GENERAL.sha256 != dataclasses.replace(GENERAL, content_rating="sensitive").sha256
    assert Recipe.from_dict(GENERAL.to_dict()) == GENERAL
    with pytest.raises(ValueError, match="'content_rating' must be one of"):
        Recipe(content_rating="safe")
    with pytest.raises(ValueError, match="'banned_tags' must be text"):
        Recipe(banned_tags=["nude"])
