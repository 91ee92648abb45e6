"""The trueskill package as an optional backend: it says what our own engine says."""

import importlib
from types import ModuleType

import pytest

from rating.errors import BackendError
from rating.game import Game
from rating.outcomes import parse_outcome
from rating.trueskill import TrueSkillSystem
from rating.votes import Votes, votes_of


def log(*outcomes: str) -> Votes:
    turns = ["abcd", "bcda", "dbac"]
    return votes_of(
        [
            Game(tuple(turns[at % 3][: 4 if len(text) > 3 else 2]), parse_outcome(text, 4 if len(text) > 3 else 2), "p")
            for at, text in enumerate(outcomes)
        ]
    )


@pytest.mark.parametrize("draw_probability", [None, 0.1, 0.3])
def test_duels_and_rankings_agree(draw_probability: float | None) -> None:
    votes = log("1", "1=2", "2", "2>1>4>3", "1=2", "1", "4>3>1>2", "2", "1>2>3>4", "1=2")
    own, package = (
        TrueSkillSystem(draw_probability=draw_probability, backend=backend) for backend in ("own", "trueskill-package")
    )
    one, other = own.standings(own.fold(own.start(), votes)), package.standings(package.fold(package.start(), votes))
    for name, estimate in one.items():
        # The package ends after ten sweeps.
        assert (other[name].mu, other[name].sigma) == pytest.approx((estimate.mu, estimate.sigma), abs=1e-5)


def test_in_compat_mode_even_ties_and_picks_agree() -> None:
    votes = log("1", "2>1=4>3", "1=2=3=4", "1>2=3=4", "4>1=2=3", "1=2", "3=4>2=1")
    own, package = (TrueSkillSystem(compat=True, backend=backend) for backend in ("own", "trueskill-package"))
    one, other = own.standings(own.fold(own.start(), votes)), package.standings(package.fold(package.start(), votes))
    for name, estimate in one.items():
        assert (other[name].mu, other[name].sigma) == pytest.approx((estimate.mu, estimate.sigma), abs=1e-9)


def test_an_outcome_beyond_the_package_is_an_error_that_names_the_other_backend() -> None:
    system = TrueSkillSystem(backend="trueskill-package", draw_probability=0.1)
    far = {"beliefs": {"a": [0.0, 0.01], "b": [1e6, 0.01]}, "margins": {}}
    with pytest.raises(BackendError, match="the backend own can"):
        system.fold(far, log("1=2"))


def test_a_missing_package_is_an_error_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> ModuleType:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(BackendError, match=r"pip install 'illustration-arena\[trueskill-package\]'"):
        TrueSkillSystem(backend="trueskill-package")
    TrueSkillSystem()


def test_an_unknown_backend_lists_those_there_are() -> None:
    with pytest.raises(BackendError, match="no backend 'numba'; known: own, trueskill-package"):
        TrueSkillSystem(backend="numba")
