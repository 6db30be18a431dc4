"""What a page shows of a platform whose layers were read. In: its files, and what they sum up to. Out: a `PlatformPage`."""

from layerkit.advice import Advice
from layerkit.costs.contents import Contents
from layerkit.costs.reading import PlatformFiles
from layerkit.costs.tree import layer_tree
from layerkit.report.page.document import PlatformPage
from layerkit.report.planned import Planned

_PIECES = 20_000
"""A file or directory that costs less than such a part of the image isn't shown by itself: so many can't be told apart."""


def platform_page(
    read: PlatformFiles, contents: Contents, advice: tuple[Advice, ...] = (), planned: Planned | None = None
) -> PlatformPage:
    """A layer that is listed twice is on the map once."""
    least = max(1, contents.cost // _PIECES)
    trees = {place.number: layer_tree(place.files, least) for place in read.files.placed if not place.repeated}
    return PlatformPage(contents, trees, advice, planned)
