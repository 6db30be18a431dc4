"""A page about an image: one HTML file that needs no network.

In: a summary, findings of `check`, and of each platform whatever is known beyond that. Out: HTML. The values go into the page as
JSON (`document`, `tree`); `files/` has the style and the scripts that draw them.
"""

from layerkit.report.page.assembling import image_page
from layerkit.report.page.document import PlatformPage
from layerkit.report.page.gathering import platform_page

__all__ = ["PlatformPage", "image_page", "platform_page"]
