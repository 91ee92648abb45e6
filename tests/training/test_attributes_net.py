import json

import pytest
import torch
from PIL import Image, ImageFilter

from training import cli
from training.attributes import VALUES, match_table, wanted
from training.attributes_net import AttributeNet, load_checker, to_tensor
from training.attributes_training import UNSEEN, Settings, blur, head_loss, labels, soften, split, train_net
from training.dataset.plan import Plan, make_post
from training.dataset.render import render
from training.dataset.writer import write_dataset
from training.errors import UserError
from training.posts import parse_post

PLAN = Plan(images=320, named=0)
UNSEEN_SCENES = [Plan(images=2000).scene(number) for number in range(1001, 1201)]


@pytest.fixture(scope="module")
def posts():
    return [parse_post(make_post(PLAN, number)[0], "here") for number in range(1, 41)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("check")
    write_dataset(folder / "data", PLAN, command="", workers=1)
    arguments = ["attributes", "--data", str(folder / "data"), "--out", str(folder / "out"), "--epochs", "20"]
    threads = torch.get_num_threads()
    assert cli.main(arguments) == 0
    torch.set_num_threads(threads)
    return folder / "out"


def test_a_short_training_already_reads_unseen_pictures(trained):
    checker = load_checker(trained)
    demands = [wanted(scene.general_tags()) for scene in UNSEEN_SCENES]
    seen = checker.predict([render(scene) for scene in UNSEEN_SCENES])
    rows = {row.attribute: row.share for row in match_table(demands, seen)}
    # Guessing would be right in about 1 of 7 backgrounds, 1 of 10 hair colours and 1 of 4 skins.
    assert rows["background"] > 0.7
    assert rows["hair_color"] > 0.6
    assert rows["skin"] > 0.6
    assert rows["palette_hair_color"] > 0.97
    assert rows["palette_background"] == 1
    assert set(rows) == {*VALUES, "palette_hair_color", "palette_background", "palette_skin"}


def test_predictions_do_not_depend_on_the_other_pictures(trained):
    checker = load_checker(trained)
    images = [render(PLAN.scene(number)) for number in range(1, 6)]
    assert checker.predict(images) == [checker.predict([image])[0] for image in images]
    assert checker.predict([]) == []


def test_the_manifest_states_data_and_figures(trained):
    info = json.loads((trained / "checker.json").read_text())
    assert info["values"]["skin"] == ["pale_skin", "none", "tan", "dark_skin"]
    assert {"seed", "epochs", "posts_sha256", "images_sha256", "cpu_seconds", "held_out"} <= set(info)
    assert set(info["held_out"]) == set(VALUES)


def copy_of(trained, tmp_path):
    folder = tmp_path / "check"
    folder.mkdir()
    for path in trained.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.mark.parametrize("name", ["checker.json", "checker.safetensors"])
def test_a_missing_or_damaged_file_is_named(trained, tmp_path, name):
    folder = copy_of(trained, tmp_path)
    (folder / name).write_bytes(b"{")
    with pytest.raises(UserError, match="is damaged"):
        load_checker(folder)
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"{name} is missing: train it with `python -m training attributes"):
        load_checker(folder)


def test_a_check_for_other_values_is_refused(trained, tmp_path):
    folder = copy_of(trained, tmp_path)
    (folder / "checker.json").write_text(json.dumps({"values": {"skin": ["green_skin"]}}))
    with pytest.raises(UserError, match="other attribute values"):
        load_checker(folder)


def test_training_does_not_overwrite_what_is_no_check(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("keep")
    assert cli.main(["attributes", "--data", str(tmp_path), "--out", str(tmp_path)]) == 1
    assert "is not an attribute check" in capsys.readouterr().err
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_too_little_data_is_a_user_error(tmp_path, capsys):
    write_dataset(tmp_path / "data", Plan(images=2, named=0), command="", workers=1)
    assert cli.main(["attributes", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 1
    assert "too few" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_labels_follow_the_tags_and_leave_out_what_is_hidden(posts):
    targets = labels(posts)
    for row, post in enumerate(posts):
        assert VALUES["hair_color"][targets["hair_color"][row]] in post.general
        hidden = "sunglasses" in post.general
        assert (targets["eyes"][row] == UNSEEN) == hidden
        assert (targets["eye_color"][row] == UNSEEN) == (hidden or "closed_eyes" in post.general)


def test_split_is_a_partition_that_does_not_depend_on_the_other_posts(posts):
    training, held = split(posts, 0)
    assert sorted(post.id for post in training + held) == [post.id for post in posts]
    assert split(posts[:20], 0)[1] == [post for post in held if post.id <= 20]


def test_blur_agrees_with_pillow_inside_the_picture():
    image = render(PLAN.scene(1))
    ours = blur(to_tensor([image]), 1.0)
    pillow = to_tensor([image.filter(ImageFilter.GaussianBlur(1.0))])
    assert float((ours - pillow)[..., 4:-4, 4:-4].abs().mean()) < 0.01


def test_softening_keeps_shape_range_and_repeats_with_its_generator():
    images = to_tensor([render(PLAN.scene(number)) for number in (1, 2)])
    one, two = (soften(images, torch.Generator().manual_seed(4)) for _ in range(2))
    assert one.shape == images.shape
    assert 0 <= float(one.min()) <= float(one.max()) <= 1
    assert torch.equal(one, two)
    assert not torch.equal(one, images)


def test_loss_of_a_head_is_the_mean_over_visible_rows():
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0], [5.0, 1.0]])
    log_probability = 2 - torch.logsumexp(torch.tensor([2.0, 0.0]), 0)
    expected = (-log_probability + torch.log(torch.tensor(2.0))) / 2
    assert torch.isclose(head_loss(logits, torch.tensor([0, 1, UNSEEN])), expected)
    assert head_loss(logits, torch.full((3,), UNSEEN)) == 0


def test_training_is_reproducible_and_leaves_torchs_generator_alone(posts):
    images = (to_tensor([render(PLAN.scene(post.id)) for post in posts]) * 255).to(torch.uint8)
    before = torch.get_rng_state()
    one, two = (train_net(images, labels(posts), Settings(epochs=1, batch=16)) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_other_sizes_and_modes_are_accepted():
    net = AttributeNet().eval()
    tensor = to_tensor([Image.new("RGBA", (128, 96)), Image.new("L", (64, 64))])
    assert tensor.shape == (2, 3, 64, 64)
    assert {name: logits.shape[1] for name, logits in net(tensor).items()} == {
        name: len(values) for name, values in VALUES.items()
    }
