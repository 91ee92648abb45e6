"""What tests of figures share: rows of their tables, and scores."""

from arena.evaluations.models import CheckpointScore


def records(figure, table: int = 0) -> list[dict]:
    return figure.tables[table].as_records()


def score(contestant, value: float, **fields) -> CheckpointScore:
    values = {
        "encoder": "e", "encoder_name": "an encoder", "suite": "s", "threshold": 0.2, "images": 3, "missing": 0,
        "interval": "t",
        "difference": value, "difference_low": value - 0.05, "difference_high": value + 0.05, "same_rate": 1 - value,
        "reference_difference": 0.05, "floor_difference": 0.5, "notice": "of tests alone",
    }  # fmt: skip
    return CheckpointScore.objects.create(contestant=contestant, **{**values, **fields})
