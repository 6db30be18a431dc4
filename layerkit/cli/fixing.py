"""What `fix` and `fix-and-push` share: options for the rewrite, and telling what was done."""

from collections.abc import Callable, Sequence
from typing import Any

from layerkit.cli.options import Splitting
from layerkit.destinations.whole_file import WholeFile, output_errors
from layerkit.image.digest import short
from layerkit.image.image import Image
from layerkit.image.referrers import Kind
from layerkit.profiles import Profile
from layerkit.progress import Progress
from layerkit.report.sizes import format_size
from layerkit.report.text import counted, plural
from layerkit.rewrite import Fixed, FixOptions, options_for
from layerkit.rewrite.saving import saved_files


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


def tell(fixed: Fixed, before: Image, progress: Progress) -> None:
    """A line for each thing that was changed."""
    if fixed.taken_out:
        progress.note(f"took {counted(found.kind.value for found in fixed.taken_out)} out")
    signatures = [found for found in fixed.taken_out if found.kind is Kind.SIGNATURE]
    if signatures:
        progress.warn(
            f"{before.name}: {plural(len(signatures), 'signature')} of the image as it was left out; sign what is published, by "
            "its new digest"
        )
    for entry in fixed.absent:
        progress.warn(f"{before.name}: {entry.platform or entry.digest} is listed but not in the image, and was left out")
    for change in fixed.changes:
        became = plural(len(change.parts), "layer")
        sizes = _sizes([part.blob.size for part in change.parts])
        progress.note(f"layer {short(change.source.digest)} ({format_size(change.source.size)}) is now {became}: {sizes}")
    if not fixed.changes and not fixed.taken_out:
        progress.note("no layer had to be changed")


def _sizes(sizes: Sequence[int]) -> str:
    """All of a few; the range of many, so that the line stays one."""
    if len(sizes) <= 4:
        return ", ".join(map(format_size, sizes))
    return f"{format_size(min(sizes))} to {format_size(max(sizes))}"


def saving(splitting: Splitting, before: Image, progress: Progress) -> Callable[[Fixed], None]:
    """Saves what was taken out, if that was asked for: to be called before the result has its name, so that nothing that is
    published has lost what it said. Raises OutputError, ImageError."""

    def save(fixed: Fixed) -> None:
        folder = splitting.save_attestations
        if folder is None:
            return
        with output_errors(str(folder)):
            folder.mkdir(parents=True, exist_ok=True)
        for found in fixed.taken_out:
            for name, blob in saved_files(before, found.descriptor):
                with WholeFile(folder / name) as file:
                    for chunk in blob.verified(before.name):
                        file.write(chunk)
                    file.commit()
                progress.note(f"saved {folder / name}")

    return save


def as_json(fixed: Fixed) -> dict[str, Any]:
    """What was changed, for programs."""
    return {
        "attestations_removed": [found.descriptor.digest for found in fixed.taken_out if found.kind is Kind.ATTESTATION],
        "referrers_removed": [
            {"digest": found.descriptor.digest, "kind": found.kind.value, "subject": found.subject}
            for found in fixed.taken_out
            if found.kind is not Kind.ATTESTATION
        ],
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
