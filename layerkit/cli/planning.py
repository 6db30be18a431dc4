"""Plans, as `inspect --plan` and `fix-and-push --dry-run` tell them."""

from collections.abc import Sequence

from layerkit.cli.printing import print_tables
from layerkit.errors import CannotFixError
from layerkit.image.image import Image
from layerkit.planning import planned_of
from layerkit.profiles import Profile
from layerkit.progress import Progress
from layerkit.report.planned import Planned
from layerkit.report.summary import chosen
from layerkit.rewrite import fix_image, options_for


def plan_for(
    image: Image, profile: Profile, limit: int, platforms: Sequence[str], rate: float | None, progress: Progress
) -> tuple[Planned, ...]:
    """What `fix` makes of it for a profile, with layers of at most `limit` bytes; nothing, and a warning, when it can't be fixed.
    Raises ImageError."""
    options = options_for(profile, max_layer_size=limit, platforms=tuple(platforms), allow_oversized=True)
    try:
        fixed = fix_image(image, options, progress=progress)
    except CannotFixError as error:
        progress.warn(str(error))
        return ()
    return planned_of(chosen(image, platforms), fixed, limit, progress, rate=rate)


def print_plan(planned: Sequence[Planned]) -> None:
    """To standard output."""
    from layerkit.report.plan_table import plan_table

    print_tables(*map(plan_table, planned))
