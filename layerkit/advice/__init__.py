"""What would make an image smaller. In: what `costs` found. Out: `Advice`, the one with the largest gain first. Reads nothing."""

from layerkit.advice.advice import Advice

__all__ = ["Advice"]
