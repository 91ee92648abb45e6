import hashlib
import random
import subprocess
import sys

from training.rng import Draws, stream, stream_key


def test_key_is_blake2b_of_length_prefixed_parts():
    parts = [b"int:7", b"str:caption", b"int:42"]
    content = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    expected = int.from_bytes(hashlib.blake2b(content, digest_size=16).digest(), "big")
    assert stream_key(7, "caption", 42) == expected
    assert stream(7, "caption", 42).random() == random.Random(expected).random()


def test_paths_that_could_be_confused_have_different_keys():
    paths = [(), (1,), ("1",), (1, 2), (12,), ("a", "b"), ("ab",), ("a", ""), ("a",), (-1,)]
    assert len({stream_key(0, *path) for path in paths}) == len(paths)
    assert stream_key(0, 1) != stream_key(1, 1)


def test_streams_leave_the_global_generator_alone():
    state = random.getstate()
    stream(1, "x").random()
    assert random.getstate() == state


def test_values_do_not_depend_on_the_hash_seed():
    code = "from training.rng import stream; print(stream(3, 'a', 1).random())"
    values = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True
        ).stdout
        for seed in ("1", "2")
    }
    assert values == {f"{stream(3, 'a', 1).random()}\n"}


def test_an_order_is_that_of_its_integers_between_numbers_that_stay():
    draws = Draws("order", 1, 2)
    for count in (0, 1, 7, 40):
        numbers = draws.integers("some", count)
        expected = sorted(range(count), key=numbers.__getitem__)
        assert draws.order("some", count) == expected
        inner = [3 + place for place in expected]
        assert draws.order("some", count, before=3, after=2) == [0, 1, 2, *inner, count + 3, count + 4]
