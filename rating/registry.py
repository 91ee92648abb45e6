"""The rating systems there are, by metric: the one place where an engine is chosen."""

from rating.elo import EloSystem
from rating.errors import UnknownMetricError
from rating.settling import JointSystem
from rating.system import RatingSystem
from rating.trueskill import TrueSkillSystem
from rating.winrate import WinRateSystem

SYSTEMS: dict[str, RatingSystem] = {
    system.metric: system
    for system in (
        TrueSkillSystem(),
        EloSystem(),
        EloSystem(metric="elo-twa", ranked_by="average"),
        JointSystem(),
        WinRateSystem(),
    )
}


def rating_system(metric: str) -> RatingSystem:
    """The system of a metric. Raises UnknownMetricError listing the known ones."""
    try:
        return SYSTEMS[metric]
    except KeyError:
        raise UnknownMetricError(f"there is no metric {metric!r}; known: {', '.join(SYSTEMS)}") from None
