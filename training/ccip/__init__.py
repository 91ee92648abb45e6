"""The self-trained character encoder: pictures of characters in, a small CCIP model folder out."""
