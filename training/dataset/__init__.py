"""The demo data set: illustrated heads with Danbooru-style tags, rendered offline and reproducibly."""
