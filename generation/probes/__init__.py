"""Probes: prompts with an automatic measure each, for the properties that the paper's appendix shows by example.

No torch is imported here. docs/probes.md describes them.
"""
