"""Images out of checkpoints: checkpoint + Recipe + prompt + seed in, image + Manifest out.

Importing this package, or its modules ``recipe``, ``checkpoint``, ``imageio`` and ``provenance``, loads no torch.
The modules that do need torch (``loading``, ``conditioning``, ``samplers``, ``denoise``, ``renderer``, ``tiny``)
are reached by dotted path from the worker process only.
"""
