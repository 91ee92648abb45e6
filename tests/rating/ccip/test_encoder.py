"""Features do not depend on how they are come by; differences are what they should be; nothing mixes encoders."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rating.ccip import (
    CacheError,
    CCIPEncoder,
    CCIPError,
    ContractError,
    FeatureError,
    Features,
    MixedEncodersError,
    Preprocess,
    write_manifest,
)
from rating.ccip.features import cosine_differences
from rating.ccip.nets import in_blocks
from tests.rating.ccip.conftest import noise_image
from tests.rating.ccip.nets import feat_net, metric_net, write_encoder

Images = Callable[[int], list[Image.Image]]


def random_features(encoder: CCIPEncoder, count: int, seed: int = 0, dim: int = 64) -> Features:
    return Features(np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32), encoder.identity)


def by_hand(vectors: np.ndarray) -> np.ndarray:
    wide = vectors.astype(np.float64)
    unit = wide / np.sqrt((wide**2).sum(axis=1, keepdims=True))
    return (1.0 - unit @ unit.T) / 2.0


@pytest.mark.parametrize(("threads", "chunk"), [(1, 1), (1, 4), (2, 1), (3, 2), (2, 64)])
def test_features_do_not_depend_on_threads_or_chunks(folder: Path, images: Images, threads: int, chunk: int) -> None:
    plain = CCIPEncoder.from_dir(folder).embed(images(9)).vectors
    made = CCIPEncoder.from_dir(folder, threads=threads, chunk=chunk).embed(images(9)).vectors
    assert np.abs(made - plain).max() <= 1e-6


def test_features_come_in_the_order_of_the_images_and_twice_the_same_once(encoder: CCIPEncoder, images: Images) -> None:
    one, two, three = images(3)
    seen: list[tuple[int, int]] = []
    made = encoder.embed([three, one, one, two], progress=lambda done, total: seen.append((done, total)))
    np.testing.assert_array_equal(made.vectors[[1, 3, 0]], encoder.embed([one, two, three]).vectors)
    np.testing.assert_array_equal(made.vectors[1], made.vectors[2])
    assert (seen[0], seen[-1]) == ((0, 4), (4, 4))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_no_image_makes_no_feature(encoder: CCIPEncoder) -> None:
    none = encoder.embed([])
    assert none.vectors.shape == (0, 64)
    assert encoder.differences(none).shape == (0, 0)
    assert encoder.cluster(none).shape == (0,)


class TestDifferences:
    def test_are_half_of_one_less_the_cosine(self, encoder: CCIPEncoder) -> None:
        features = random_features(encoder, 40)
        made = encoder.differences(features)
        assert np.abs(made - by_hand(features.vectors)).max() <= 1e-6
        np.testing.assert_array_equal(made, made.T)
        assert made.diagonal().max() <= 1e-6
        assert made.min() >= 0
        assert made.max() <= 1

    def test_do_not_depend_on_lengths_or_order(self, encoder: CCIPEncoder) -> None:
        features = random_features(encoder, 30)
        made = encoder.differences(features)
        scales = np.geomspace(1e-6, 1e6, 30, dtype=np.float32)[:, None]
        scaled = encoder.differences(Features(features.vectors * scales, encoder.identity))
        np.testing.assert_allclose(scaled, made, atol=1e-6)
        order = np.random.default_rng(1).permutation(30)
        np.testing.assert_allclose(encoder.differences(features[order]), made[np.ix_(order, order)], atol=1e-6)

    def test_of_opposites_are_one_and_never_more(self, encoder: CCIPEncoder) -> None:
        features = random_features(encoder, 20)
        opposite = Features(-features.vectors, encoder.identity)
        made = encoder.differences(features, opposite)
        assert made.max() <= 1
        np.testing.assert_allclose(made.diagonal(), 1.0, atol=1e-6)

    def test_across_are_a_block_of_the_whole(self, encoder: CCIPEncoder) -> None:
        whole = random_features(encoder, 12)
        across = encoder.differences(whole[:5], whole[5:])
        np.testing.assert_allclose(across, encoder.differences(whole)[:5, 5:], atol=1e-6)

    def test_of_one_are_zero(self, encoder: CCIPEncoder) -> None:
        np.testing.assert_array_equal(encoder.differences(random_features(encoder, 1)), [[0.0]])

    def test_are_the_metric_nets_in_blocks_where_it_is_no_cosine(self, tmp_path: Path) -> None:
        encoder = CCIPEncoder.from_dir(write_encoder(tmp_path / "bent", metric=metric_net(bend=2.0)))
        assert not encoder.check().cosine
        features = random_features(encoder, 30)
        made = encoder.differences(features)
        np.testing.assert_allclose(made, by_hand(features.vectors) ** 2, atol=1e-6)
        np.testing.assert_array_equal(made, made.T)
        for block in (1, 7, 30, 64):
            net = encoder.nets.metric
            np.testing.assert_allclose(in_blocks(net, features.vectors, block=block), made, atol=1e-6)
            across = in_blocks(net, features.vectors[:11], features.vectors[11:], block=block)
            np.testing.assert_allclose(across, made[:11, 11:], atol=1e-6)

    @pytest.mark.parametrize("bend", [0.0, 1e9])
    def test_of_a_net_that_makes_nonsense_are_refused(self, tmp_path: Path, bend: float) -> None:
        # x ** 0 is 1 on the diagonal; x ** 1e9 is 0 everywhere but between opposites, which is within the contract.
        encoder = CCIPEncoder.from_dir(write_encoder(tmp_path / "bent", metric=metric_net(bend=bend)))
        if bend:
            assert not encoder.check().cosine
        else:
            with pytest.raises(ContractError, match="0 on the diagonal"):
                encoder.check()


class TestFeaturesWithoutDirection:
    @pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
    def test_are_refused(self, value: float) -> None:
        vectors = np.ones((3, 4), np.float32)
        vectors[1] = value
        with pytest.raises(FeatureError, match="feature 1"):
            Features(vectors, "e")

    def test_of_an_image_are_refused_by_its_name(self, tmp_path: Path) -> None:
        # Black, normalised by a mean of 0, is zero to this net.
        folder = write_encoder(tmp_path / "e")
        write_manifest(folder, name="e", preprocess=Preprocess(mean=(0.0, 0.0, 0.0)))
        noise_image(0).save(tmp_path / "good.png")
        Image.new("RGB", (8, 8)).save(tmp_path / "black.png")
        encoder = CCIPEncoder.from_dir(folder)
        with pytest.raises(FeatureError, match=r"black\.png"):
            encoder.embed([tmp_path / "good.png", tmp_path / "black.png"])
        features, failed = encoder.embed_readable([tmp_path / "black.png", tmp_path / "good.png"])
        assert (len(features), list(failed)) == (1, [0])

    @pytest.mark.parametrize("vectors", [np.ones(4, np.float32), np.ones((2, 4))])
    def test_of_another_shape_or_precision_are_refused(self, vectors: np.ndarray) -> None:
        with pytest.raises(FeatureError, match="float32"):
            Features(vectors, "e")

    def test_opposites_cannot_be_merged(self, encoder: CCIPEncoder) -> None:
        one = random_features(encoder, 1)
        both = Features(np.concatenate([one.vectors, -one.vectors]), encoder.identity)
        with pytest.raises(FeatureError, match="cancel"):
            encoder.merge(both)
        with pytest.raises(FeatureError, match="no features"):
            encoder.merge(one[:0])


def test_two_encoders_never_meet(encoder: CCIPEncoder, tmp_path: Path) -> None:
    other = CCIPEncoder.from_dir(write_encoder(tmp_path / "other", seed=1))
    mine, theirs = random_features(encoder, 2), random_features(other, 2)
    for call in (
        lambda: encoder.differences(theirs),
        lambda: encoder.differences(mine, theirs),
        lambda: encoder.same(theirs),
        lambda: encoder.cluster(theirs),
        lambda: encoder.merge(theirs),
    ):
        with pytest.raises(MixedEncodersError, match="one encoder"):
            call()


def test_same_is_up_to_the_threshold_inclusive(encoder: CCIPEncoder) -> None:
    features = random_features(encoder, 5)
    between = float(encoder.differences(features)[0, 1])
    assert encoder.same(features, threshold=between)[0, 1]
    assert not encoder.same(features, threshold=np.nextafter(np.float32(between), np.float32(0)).item())[0, 1]
    np.testing.assert_array_equal(encoder.same(features), encoder.differences(features) <= np.float32(0.1))


def test_merging_takes_the_mean_direction_at_the_mean_length(encoder: CCIPEncoder) -> None:
    features = Features(np.array([[3.0, 0.0], [0.0, 1.0]], np.float32), encoder.identity)
    np.testing.assert_allclose(encoder.merge(features).vectors, [[2**0.5, 2**0.5]], rtol=1e-6)


class TestClusters:
    @pytest.fixture
    def three(self, encoder: CCIPEncoder) -> Features:
        """Three groups of six, near each other."""
        centres = np.repeat(random_features(encoder, 3).vectors, 6, axis=0)
        return Features(centres + 0.2 * random_features(encoder, 18, seed=1).vectors, encoder.identity)

    @pytest.mark.parametrize("method", ["dbscan", "dbscan_2", "dbscan_free", "optics", "optics_best"])
    def test_find_the_groups(self, encoder: CCIPEncoder, three: Features, method: str) -> None:
        found = encoder.cluster(three, method, min_samples=5)
        assert found.tolist() == np.repeat(found[::6], 6).tolist()
        assert sorted(found[::6]) == [0, 1, 2]

    @pytest.mark.parametrize("method", ["dbscan", "optics"])
    def test_an_eps_of_zero_is_zero(self, encoder: CCIPEncoder, three: Features, method: str) -> None:
        assert set(encoder.cluster(three, method, eps=0)) == {-1}

    def test_an_eps_of_zero_joins_what_is_equal(self, encoder: CCIPEncoder) -> None:
        one = np.eye(1, 64, dtype=np.float32)
        pair = Features(np.concatenate([one, one, -one]), encoder.identity)
        assert encoder.cluster(pair, "dbscan", eps=0).tolist() == [0, 0, -1]

    @pytest.mark.parametrize("method", ["dbscan", "optics"])
    def test_too_few_make_none(self, encoder: CCIPEncoder, three: Features, method: str) -> None:
        assert encoder.cluster(three[:3], method, min_samples=5).tolist() == [-1] * 3
        assert encoder.cluster(three[:1], method).tolist() == [-1]

    def test_other_methods_and_settings_are_refused(self, encoder: CCIPEncoder, three: Features) -> None:
        with pytest.raises(CCIPError, match="optics_best"):
            encoder.cluster(three, "kmeans")
        for wrong in ({"eps": -0.1}, {"eps": 1.1}, {"min_samples": 0}):
            with pytest.raises(CCIPError, match="eps must"):
                encoder.cluster(three, **wrong)

    def test_settings_that_the_folder_lacks_are_named(self, folder: Path, tmp_path: Path) -> None:
        own = Path(shutil.copytree(folder, tmp_path / "own"))
        (own / "cluster.json").write_text("{}")
        encoder = CCIPEncoder.from_dir(own)
        with pytest.raises(ContractError, match="dbscan_free"):
            encoder.cluster(random_features(encoder, 5), "dbscan_free")


class TestCache:
    @pytest.fixture
    def cache(self, tmp_path: Path) -> Path:
        return tmp_path / "below" / "cache.sqlite"

    def test_a_second_run_opens_no_net_and_gives_the_same_bits(self, folder: Path, cache: Path, images: Images) -> None:
        first = CCIPEncoder.from_dir(folder, cache=cache).embed(images(4))
        again = CCIPEncoder.from_dir(folder, cache=cache)
        second = again.embed(images(4))
        again.differences(second)
        assert not again.nets.opened
        assert second.vectors.tobytes() == first.vectors.tobytes()
        assert second.vectors.dtype == np.float32

    def misses(self, folder: Path, cache: Path, shown: list[Image.Image]) -> bool:
        encoder = CCIPEncoder.from_dir(folder, cache=cache)
        encoder.embed(shown)
        return encoder.nets.opened

    def test_other_bytes_of_an_image_miss(self, folder: Path, cache: Path, tmp_path: Path) -> None:
        path = tmp_path / "image.png"
        noise_image(0).save(path)
        assert self.misses(folder, cache, [path])
        assert not self.misses(folder, cache, [path])
        noise_image(1).save(path)
        assert self.misses(folder, cache, [path])

    def test_another_net_misses(self, folder: Path, cache: Path, images: Images, tmp_path: Path) -> None:
        assert self.misses(folder, cache, images(1))
        other = write_encoder(tmp_path / "other", feat=feat_net(seed=1))
        assert self.misses(other, cache, images(1))

    def test_other_constants_miss(self, folder: Path, cache: Path, images: Images, tmp_path: Path) -> None:
        assert self.misses(folder, cache, images(1))
        other = Path(shutil.copytree(folder, tmp_path / "other"))
        write_manifest(other, name="other", preprocess=Preprocess(std=(0.5, 0.5, 0.5)))
        assert self.misses(other, cache, images(1))

    def test_a_stopped_run_keeps_what_it_finished(self, folder: Path, cache: Path, images: Images) -> None:
        def stop(done: int, total: int) -> None:
            if done == 5:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            CCIPEncoder.from_dir(folder, cache=cache).embed(images(9), progress=stop)
        with sqlite3.connect(cache) as database:
            kept = database.execute("select count(*) from embedding").fetchone()[0]
        assert 4 <= kept <= 5

    def test_a_file_that_is_no_cache_is_named(self, folder: Path, tmp_path: Path, images: Images) -> None:
        (tmp_path / "cache").write_text("this is no database, and long enough to be seen as none" * 20)
        with pytest.raises(CacheError, match="cache cannot be used"):
            CCIPEncoder.from_dir(folder, cache=tmp_path / "cache").embed(images(1))
        with pytest.raises(CacheError, match="cannot be used"):
            CCIPEncoder.from_dir(folder, cache=tmp_path / "cache" / "below").embed(images(1))


def test_numpy_in_float32_is_as_good_as_in_float64() -> None:
    vectors = np.random.default_rng(0).standard_normal((500, 768)).astype(np.float32)
    assert np.abs(cosine_differences(vectors) - by_hand(vectors)).max() <= 5e-7
