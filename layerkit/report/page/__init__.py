"""Pages about an image, and about what changed from one to the next: HTML files that need no network.

In: a summary, findings of `check`, and of each platform whatever is known beyond that. Out: HTML. The values go into the page as
JSON (`document`, `tree`); `files/` has the style and the scripts that draw them.
"""

from layerkit.report.page.assembling import changes_page, image_page
from layerkit.report.page.document import PlatformPage
from layerkit.report.page.gathering import platform_page

__all__ = ["PlatformPage", "changes_page", "image_page", "platform_page"]
