"""How fast and how small an image is fixed, for several limits and compressions.

In: an image and the settings to compare. Out: a `Row` for each, medians of several runs. Nothing is written: the new image goes
to a destination that reads every byte and keeps none.
"""

from layerkit.bench.rows import Row, Setting, default_limits, layers_size, measure, warm

__all__ = ["Row", "Setting", "default_limits", "layers_size", "measure", "warm"]
