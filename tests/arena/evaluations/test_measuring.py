"""A rendered contestant is measured against its characters' references by the real encoder, once."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from jsonschema import Draft202012Validator
from PIL import Image

from arena.api.schemas import SCHEMAS
from arena.evaluations import lease, measuring, running
from arena.evaluations.models import CharacterScore, CheckpointScore, EvaluationRun
from arena.evaluations.scores import cards
from arena.evaluations.seeding import seed
from arena.gallery.models import Character, Contestant, Prompt, Sample
from arena.gallery.registering import register
from arena.polls.models import Poll
from arena.votes.models import ImageFlag, Voter
from generation.tiny import write_tiny_checkpoint
from rating.ccip import ContractError
from rating.ccip.report import CheckpointScore as Measured
from rating.errors import RatingError
from tests.broken import break_word
from training.ccip.pictures import render_cast
from training.dataset.characters import CHARACTERS

pytestmark = pytest.mark.django_db
NAMES = ("akari", "goro", "mei")
REFERENCES = 4


@pytest.fixture(scope="session")
def drawn_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three of the demo's named characters, really drawn, with four references each and four more pictures."""
    folder = tmp_path_factory.mktemp("drawn")
    cast = render_cast(5, [CHARACTERS[name] for name in NAMES], 2 * REFERENCES)
    rows = []
    for row, name in enumerate(NAMES):
        files = [f"{name}-{number}.png" for number in range(2 * REFERENCES)]
        for number, file in enumerate(files):
            Image.fromarray(cast.pictures[row * 2 * REFERENCES + number]).save(folder / file)
        rows.append({"name": name, "tags": ["1girl"], "references": files[:REFERENCES]})
    (folder / "characters.json").write_text(json.dumps(rows))
    return folder


@pytest.fixture
def contestant(tiny_folder: Path, media: Path, drawn_dataset: Path) -> Contestant:
    """Registered, with the three characters' polls open: 3 characters x 2 templates x 2 seeds to be measured."""
    seed(drawn_dataset)
    Poll.objects.exclude(kind="fixed").update(is_open=False)
    return register(tiny_folder)[0]


def finish(run: EvaluationRun) -> None:
    while running.advance(run.pk, seconds=60):
        pass


def evaluate(contestant: Contestant) -> CheckpointScore:
    finish(running.start(contestant)[0])
    return CheckpointScore.objects.get(contestant=contestant)


def show(contestant: Contestant, pictures: Path, shown: dict[str, str]) -> None:
    """Let the contestant's samples of a character show the drawn pictures of another, those that are no references."""
    for sample in Sample.objects.filter(contestant=contestant).select_related("prompt__character"):
        name = shown[sample.prompt.character.name]
        number = REFERENCES + (sample.prompt_id + sample.seed) % REFERENCES
        Path(sample.archive.path).write_bytes((pictures / f"{name}-{number}.png").read_bytes())


def test_an_evaluation_ends_with_a_complete_score(contestant: Contestant) -> None:
    score = evaluate(contestant)
    assert EvaluationRun.objects.get().state == "done"
    assert (score.images, score.missing, score.complete, score.interval) == (12, 0, True, "t")
    assert [row.character.name for row in score.characters.all()] == list(NAMES)
    assert {row.images for row in score.characters.all()} == {4}
    found = Measured.from_json(score.result)
    assert (found.encoder, found.suite, found.threshold) == (score.encoder, score.suite, score.threshold)
    assert score.difference == pytest.approx(sum(row.difference for row in score.characters.all()) / 3)
    assert "not comparable with CCIP" in score.notice


def test_a_poll_that_opens_while_the_last_images_are_rendered_is_rendered_before_it_is_measured(
    contestant: Contestant,
) -> None:
    Poll.objects.filter(kind="fixed").update(is_open=False)
    Poll.objects.filter(kind="duel").update(is_open=True)
    duel = list(Poll.objects.get(kind="duel").prompt_set.prompts.order_by("pk"))
    Prompt.objects.filter(pk__in=[prompt.pk for prompt in duel[1:]]).delete()
    run, _ = running.start(contestant)
    assert running.advance(run.pk, seconds=60, on_progress=lambda now: Poll.objects.update(is_open=True))
    run.refresh_from_db()
    assert (run.state, run.error, CheckpointScore.objects.count()) == ("running", "", 0)
    Poll.objects.filter(kind="ffa").update(is_open=False)
    finish(run)
    run.refresh_from_db()
    assert (run.state, CheckpointScore.objects.get().complete) == ("done", True)


def test_an_untrained_checkpoint_draws_nobody_and_right_and_wrong_characters_are_told_apart(
    contestant: Contestant, drawn_dataset: Path
) -> None:
    noise = evaluate(contestant)
    scores = {}
    for what, shown in (
        ("right", {name: name for name in NAMES}),
        ("wrong", dict(zip(NAMES, (*NAMES[1:], NAMES[0]), strict=True))),
    ):
        CheckpointScore.objects.all().delete()
        show(contestant, drawn_dataset, shown)
        scores[what] = measuring.measure(contestant)
    right, wrong = scores["right"], scores["wrong"]
    assert (right.top1, wrong.top1, wrong.same_rate) == (1, 0, 0)
    assert right.difference < right.floor_difference / 2
    assert right.difference < min(wrong.difference, noise.difference) / 2
    assert right.suite == wrong.suite == noise.suite


def test_what_is_measured_is_not_measured_again(contestant: Contestant, monkeypatch: pytest.MonkeyPatch) -> None:
    first = evaluate(contestant)
    monkeypatch.setattr(measuring, "score", None)
    assert measuring.measure(contestant) == first
    assert CharacterScore.objects.count() == 3


def test_killed_on_the_way_it_goes_on_with_the_images_that_are_left(contestant: Contestant) -> None:
    run, _ = running.start(contestant)
    seen: list[int] = []

    def die(done: int, total: int) -> None:
        seen.append(done)
        if done == 15:
            raise KeyboardInterrupt

    while EvaluationRun.objects.get(pk=run.pk).done < 12:
        running.advance(run.pk, seconds=0)
    CheckpointScore.objects.all().delete()
    measuring.LOADED = measuring.LoadedEncoder()
    (measuring.settings.HOME / measuring.CACHE_FILE).unlink()
    with pytest.raises(KeyboardInterrupt):
        measuring.measure(contestant, progress=die)
    assert not CheckpointScore.objects.exists(), "nothing half-written"
    after: list[int] = []
    measuring.LOADED = measuring.LoadedEncoder()
    assert measuring.measure(contestant, progress=lambda done, total: after.append(done))
    assert seen[0] == 0
    assert [done for done in after if done < 15] in ([12], []), "references and the first images were kept"
    assert CheckpointScore.objects.count() == 1


def test_a_long_measurement_lets_others_in_between(contestant: Contestant, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = running.start(contestant)
    while EvaluationRun.objects.get(pk=run.pk).done < 12:
        running.advance(run.pk, seconds=0)
    EvaluationRun.objects.update(state="running", finished_at=None)
    CheckpointScore.objects.all().delete()
    (measuring.settings.HOME / measuring.CACHE_FILE).unlink()
    monkeypatch.setattr(measuring, "LOADED", measuring.LoadedEncoder())
    monkeypatch.setattr(running, "CHUNK_SECONDS", 0.0)
    chunks = 1
    while running.advance(run.pk):
        chunks += 1
    assert chunks > 3
    assert CheckpointScore.objects.get().complete


def test_cancelled_while_it_measures_leaves_no_score(contestant: Contestant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.0)
    run, _ = running.start(contestant)
    monkeypatch.setattr(running, "measure", lambda contestant, progress: (running.cancel(run), progress(0, 1)))
    finish(run)
    assert EvaluationRun.objects.get().state == "cancelled"


def test_an_unreadable_image_makes_the_score_incomplete_until_it_is_back(
    contestant: Contestant, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate(contestant)
    CheckpointScore.objects.all().delete()
    sample = Sample.objects.first()
    content = Path(sample.archive.path).read_bytes()
    Path(sample.archive.path).unlink()
    with pytest.raises(CommandError, match="incomplete: 1 image"):
        call_command("evaluate", contestant.checkpoint.name)
    row = CheckpointScore.objects.get()
    assert (row.images, row.missing, row.complete) == (11, 1, False)
    assert row.characters.get(character=sample.prompt.character).missing == 1
    Path(sample.archive.path).write_bytes(content)
    call_command("evaluate", contestant.checkpoint.name)
    assert CheckpointScore.objects.get().complete, "the same row, now whole"
    assert "likeness to 3 characters" in capsys.readouterr().out


def test_images_that_came_out_broken_make_the_score_incomplete(
    media: Path, drawn_dataset: Path, tmp_path: Path
) -> None:
    """Every second template asks for a blue background: 6 of 12 images are NaN."""
    seed(drawn_dataset)
    Poll.objects.exclude(kind="fixed").update(is_open=False)
    write_tiny_checkpoint(tmp_path / "breaking", seed=1, epoch=1)
    break_word(tmp_path / "breaking", "blue")
    score = evaluate(register(tmp_path / "breaking")[0])
    run = EvaluationRun.objects.get()
    assert (run.state, run.done, run.total, len(run.broken)) == ("incomplete", 6, 12, 6)
    assert (score.images, score.missing, score.complete) == (6, 6, False)
    assert {row.missing for row in score.characters.all()} == {2}
    with pytest.raises(CommandError, match=r"broken \(6\): seed .*; the score of .* is incomplete: 6 images"):
        call_command("evaluate", str(tmp_path / "breaking"))


def test_a_lost_reference_is_named(contestant: Contestant) -> None:
    default_storage.delete("references/goro/2.png")
    run, _ = running.start(contestant)
    with pytest.raises(RatingError, match=r"references/goro/2\.png"):
        finish(run)
    run.refresh_from_db()
    assert (run.state, run.done) == ("failed", 12)
    assert Sample.objects.count() == 12


def test_another_suite_or_recipe_is_another_score(contestant: Contestant) -> None:
    first = measuring.asked_of(contestant).suite.hash
    contestant.recipe_sha256 = "another"
    assert measuring.asked_of(contestant).suite.hash != first
    contestant.refresh_from_db()
    assert measuring.asked_of(contestant).suite.hash == first
    Character.objects.filter(name="goro").update(references=["references/goro/1.png"])
    assert measuring.asked_of(contestant).suite.hash != first, "with one reference goro is asked for no longer"


def test_only_templates_that_every_character_has_are_measured(contestant: Contestant) -> None:
    poll = Poll.objects.get(kind="fixed")
    goro = Character.objects.get(name="goro")
    Prompt.objects.create(prompt_set=poll.prompt_set, character=goro, text="1boy, goro, solo, from behind")
    asked = measuring.asked_of(contestant)
    assert len(asked.suite.prompts) == 2
    assert all("{name}" in text and "{person}" in text for text in asked.suite.prompts)
    assert len(asked.suite.keys()) == 3 * 2 * 2


def test_without_an_encoder_or_characters_nothing_is_measured(contestant: Contestant, settings) -> None:
    settings.ARENA_ENCODER = ""
    assert measuring.measure(contestant) is None
    settings.ARENA_ENCODER = "rating.ccip.CCIPEncoder"
    Poll.objects.update(is_open=False)
    assert measuring.measure(contestant) is None


def test_a_wrong_folder_is_named_and_the_images_stay(contestant: Contestant, settings, tmp_path: Path) -> None:
    settings.ARENA_ENCODER_FOLDER = str(tmp_path)
    run, _ = running.start(contestant)
    with pytest.raises(ContractError, match=r"model_feat\.onnx"):
        finish(run)
    run.refresh_from_db()
    assert (run.state, run.done, Sample.objects.count()) == ("failed", 12, 12)
    settings.ARENA_ENCODER_FOLDER = ""
    assert evaluate(contestant).complete, "put right, it goes on"


def test_the_api_tells_the_score_as_documented(contestant: Contestant, client: Client) -> None:
    score = evaluate(contestant)
    headers = {"Authorization": "Bearer token-of-the-tests"}
    told = client.get(f"/api/evaluations/{contestant.evaluation.pk}", headers=headers).json()["score"]
    assert told["difference"] == score.difference
    assert [one["character"] for one in told["characters"]] == list(NAMES)
    schema = {**SCHEMAS["Score"], "components": {"schemas": SCHEMAS}}
    assert list(Draft202012Validator(schema).iter_errors(told)) == []


def test_the_page_shows_each_character_and_no_withheld_image(contestant: Contestant, client: Client) -> None:
    evaluate(contestant)
    address = f"/evaluations/{contestant.evaluation.pk}/"
    page = client.get(address).content.decode()
    assert [page.count(f"<h3>{name}</h3>") for name in NAMES] == [1, 1, 1]
    assert "not comparable with CCIP" in page
    worst = cards(CheckpointScore.objects.get())[0].worst
    assert [image.difference for image in worst] == sorted((image.difference for image in worst), reverse=True)
    flagged = worst[0].sample
    assert f"/samples/{flagged.pk}.png" in page
    ImageFlag.objects.create(sample=flagged, voter=Voter.objects.create(), decision="hidden")
    page = client.get(address).content.decode()
    assert f"/samples/{flagged.pk}.png" not in page
    assert 'class="absent"' in page


def test_references_among_the_images_or_twice_are_said(
    contestant: Contestant, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    score = evaluate(contestant)
    assert (score.leaks, score.duplicates) == (0, 0)
    sample = Sample.objects.filter(contestant=contestant, prompt__character__name="goro").first()
    with default_storage.open("references/goro/2.png") as file:
        Path(sample.archive.path).write_bytes(file.read())
    Character.objects.filter(name="mei").update(references=["references/mei/1.png"] * 2 + ["references/mei/2.png"])
    call_command("evaluate", contestant.checkpoint.name)
    score = CheckpointScore.objects.latest("pk")
    assert (score.leaks, score.duplicates) == (1, 1)
    said = capsys.readouterr().out
    assert f"seed {sample.seed} is the reference references/goro/2.png" in said
    assert "references/mei/1.png and references/mei/1.png are one picture" in said
    page = client.get(f"/evaluations/{contestant.evaluation.pk}/").content.decode()
    assert "1 image is a reference, or as good as one" in page
    assert "1 pair of references is one picture" in page
    headers = {"Authorization": "Bearer token-of-the-tests"}
    told = client.get(f"/api/evaluations/{contestant.evaluation.pk}", headers=headers).json()["score"]
    assert (told["leaks"], told["duplicates"]) == (1, 1)


def test_incomplete_scores_set_no_standard_for_a_board(contestant: Contestant) -> None:
    whole = evaluate(contestant)
    CheckpointScore.objects.filter(pk=whole.pk).update(measured_at=timezone.now() - timedelta(days=1))
    assert list(CheckpointScore.objects.current()) == [whole]
