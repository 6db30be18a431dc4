"""What `fix` and `fix-and-push` share: options for the rewrite, and telling what was done."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from layerkit.cli.options import Splitting
from layerkit.image.digest import short
from layerkit.image.image import Image
from layerkit.profiles import Profile
from layerkit.progress import Progress
from layerkit.report.sizes import format_size
from layerkit.report.text import plural
from layerkit.rewrite import Fixed, FixOptions, options_for
from layerkit.rewrite.attestations import attestation_files


def fix_options(splitting: Splitting, profile: Profile, jobs: int | None) -> FixOptions:
    """Raises UsageError for what the profile can't have."""
    return options_for(
        profile,
        max_layer_size=splitting.max_layer_size,
        compression=splitting.compression.kind,
        level=splitting.compression.level,
        family=splitting.family,
        platforms=splitting.platforms,
        keep_attestations=splitting.keep_attestations,
        allow_oversized=splitting.allow_oversized,
        proven=splitting.verify,
        jobs=jobs,
    )


def tell(fixed: Fixed, splitting: Splitting, before: Image, progress: Progress) -> None:
    """A line for each thing that was changed; attestations are saved if that was asked for."""
    if fixed.attestations:
        progress.note(f"took {plural(len(fixed.attestations), 'attestation')} out")
    if splitting.save_attestations is not None:
        save_attestations(fixed, before, splitting.save_attestations, progress)
    for entry in fixed.absent:
        progress.warn(f"{before.name}: {entry.platform or entry.digest} is listed but not in the image, and was left out")
    for change in fixed.changes:
        became = plural(len(change.parts), "layer")
        sizes = _sizes([part.blob.size for part in change.parts])
        progress.note(f"layer {short(change.source.digest)} ({format_size(change.source.size)}) is now {became}: {sizes}")
    if not fixed.changes and not fixed.attestations:
        progress.note("no layer had to be changed")


def _sizes(sizes: Sequence[int]) -> str:
    """All of a few; the range of many, so that the line stays one."""
    if len(sizes) <= 4:
        return ", ".join(map(format_size, sizes))
    return f"{format_size(min(sizes))} to {format_size(max(sizes))}"


def save_attestations(fixed: Fixed, before: Image, folder: Path, progress: Progress) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for descriptor in fixed.attestations:
        for name, data in attestation_files(before, descriptor):
            (folder / name).write_bytes(data)
            progress.note(f"saved {folder / name}")


def as_json(fixed: Fixed) -> dict[str, Any]:
    """What was changed, for programs."""
    return {
        "attestations_removed": [descriptor.digest for descriptor in fixed.attestations],
        "absent_removed": [descriptor.digest for descriptor in fixed.absent],
        "layers_rewritten": [
            {
                "digest": change.source.digest,
                "size": change.source.size,
                "diff_id": change.diff_id,
                "parts": [{"digest": part.blob.digest, "size": part.blob.size, "diff_id": part.diff_id} for part in change.parts],
            }
            for change in fixed.changes
        ],
    }
