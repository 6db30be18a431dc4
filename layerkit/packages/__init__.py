"""Which package does each file of an image belong to?

In: the files that package managers leave behind to say what they installed, and where symlinks lead. Out: the packages, and for
each path the one that it belongs to. What is read, who wins and what isn't known: docs/packages.md.
"""

from layerkit.packages.go import GoModule, GoReader
from layerkit.packages.owners import Owners
from layerkit.packages.package import Package
from layerkit.packages.wanted import wanted

__all__ = ["GoModule", "GoReader", "Owners", "Package", "wanted"]
