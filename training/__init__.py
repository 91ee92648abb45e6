"""Posts in, checkpoints out: the data set, captions, fine-tuning and attribute checks."""
