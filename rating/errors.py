"""What can be wrong with votes, each by its name."""

from collections.abc import Sequence


class RatingError(ValueError):
    """The base of every error of this package: the text names the thing and the remedy."""

    exit_code = 1


class OutcomeError(RatingError):
    """An outcome text that says nothing definite about its seats."""


class GameError(RatingError):
    """Contestants and an outcome that make no comparison, such as a contestant against itself."""


class VoteFileError(RatingError):
    """A vote file that cannot be read; the text names the file and, where there is one, the line."""


class UnknownMetricError(RatingError):
    """A metric that no rating system goes by; the text lists those that exist."""


class UnknownContestantError(RatingError):
    """A contestant that no vote names; the text lists the nearest names."""


class StateError(RatingError):
    """Votes that determine no rating: none, all draws, groups that never met, or a group that never loses."""


PRIOR = "or use a system with a prior (trueskill, trueskill2)"


class RunawayError(StateError):
    """Parameters without a finite estimate, by their names."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        super().__init__(
            f"The votes give {', '.join(names)} no finite estimate, as one outcome always came with it. "
            f"Collect more votes, {PRIOR}."
        )


class WorldError(RatingError):
    """A simulated world that cannot be, or that does not fit the votes it is to answer."""


class SliceError(RatingError):
    """Slices of time that are not in order or do not hold every vote."""


class LineageError(RatingError):
    """A training run's epochs that make no walk: one named twice, or not a number."""


class MatchupError(RatingError):
    """A matchup that cannot be chosen: too few contestants, or numbers out of range."""


class PriorError(RatingError):
    """A prior that cannot be: a scale that is not positive, a correlation outside 0 to 1, a walk that is negative."""


class SettingError(RatingError):
    """A constant of a rating system outside its range; the text names it and the range."""


class BackendError(RatingError):
    """A backend that is unknown or not installed, or that cannot rate a vote; the text says what to do."""


class CompiledError(RatingError):
    """The compiled engines cannot be used: numba is missing, or they do not do what was asked."""
