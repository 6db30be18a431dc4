"""What would make an image smaller.

In: what `costs` found, and where each file that can be seen is (`Tally`). Out: `Advice`, the one with the largest gain first.
What is looked for is in `rules.toml`; nothing is said that isn't computed from this image.
"""

from layerkit.advice.advice import Advice
from layerkit.advice.advising import Context, advise
from layerkit.advice.rules import Rules, read_rules
from layerkit.advice.tally import Tally

__all__ = ["Advice", "Context", "Rules", "Tally", "advise", "read_rules"]
