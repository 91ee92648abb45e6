"""Names of what lies in a run's folder, for whoever reads one without training. No torch."""

RUN = "run.json"  # preset, data set and base
STEPS, EPOCHS, STANDINGS = "steps.jsonl", "log.jsonl", "standings.jsonl"
SAMPLES, ASKED = "samples", "samples.json"  # the folder of `training.samples`, and what was asked of it
