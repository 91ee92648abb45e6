"""Template filters of the leaderboard app."""
