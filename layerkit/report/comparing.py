"""What `diff` and `inspect` of several images tell, as tables. In: `Changes`, `Sharing`. Out: something rich can print."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from layerkit.compare.changes import Change, Changes, LayerCompared, Sums
from layerkit.compare.sharing import Sharing
from layerkit.image.digest import short
from layerkit.report.listing import COST, FILES, LAYER, SIZE, Column, listing
from layerkit.report.sizes import format_share, format_size
from layerkit.report.text import one_line, plural

_MARKS = {Change.ADDED: "+", Change.REMOVED: "-", Change.CHANGED: "~"}


def changes_table(changes: Changes) -> Group:
    return Group(*_changes(changes))


def _changes(changes: Changes) -> Iterator[RenderableType]:
    yield Text()
    yield Text(one_line(changes.platform), style="bold")
    before, after = changes.before, changes.after
    yield Text(f"before: {_sums(before)}; after: {_sums(after)}")
    yield Text(
        f"added {format_size(changes.added.cost)}, removed {format_size(changes.removed.cost)}, "
        f"changed {format_size(changes.changed_before.cost)} → {format_size(changes.changed.cost)} (compressed)"
    )
    new = [layer for layer in changes.layers if not layer.shared]
    if not new:
        yield Text("a push sends nothing of it where the old one is: all layers are the same")
    else:
        again = f", of which about {format_size(changes.unchanged)} are files that didn't change" if changes.unchanged else ""
        yield Text(f"a push sends {format_size(changes.send)} where the old one is{again}")
    yield listing(
        f"layers that are new: {len(new)} of {len(changes.layers)}",
        (Column("size"), Column("unchanged", 9), LAYER),
        "made by",
        (((format_size(one.size), _unchanged(one), str(one.number)), one.command) for one in new),
    )
    yield listing(
        "packages",
        (Column("before"), Column("after"), Column("kind", 6)),
        "package",
        (
            ((_size(one.cost_before), _size(one.cost), one.kind), f"{one.name} {_versions(one.version_before, one.version)}")
            for one in changes.packages
        ),
    )
    for title, groups in (
        ("directories, by what was added or changed in them", changes.arriving),
        ("directories, by what was removed or changed in them", changes.leaving),
    ):
        rows = (((format_size(one.cost), format_size(one.size), f"{one.files:,}"), one.name) for one in groups)
        yield listing(title, (COST, SIZE, FILES), "path", rows)
    yield listing(
        "files",
        (Column("before"), Column("after"), Column("", 1)),
        "path",
        (((_size(one.cost_before), _size(one.cost), _MARKS[one.change]), one.path) for one in changes.files),
    )


def sharing_table(sharing: Sharing) -> Group:
    return Group(*_sharing(sharing))


def _sharing(sharing: Sharing) -> Iterator[RenderableType]:
    total = sum(image.size for image in sharing.images)
    yield Text()
    saved = f"{format_size(total)} of layers, {format_size(sharing.size)} of them different"
    yield Text(f"{plural(len(sharing.images), 'image')}: {saved}", style="bold")
    yield listing(
        "images",
        (Column("size"), Column("shared"), Column("share", 6), Column("alone"), Column("#", 2)),
        "name",
        (
            (
                (
                    format_size(one.size),
                    format_size(one.shared),
                    format_share(one.shared, one.size),
                    format_size(one.alone),
                    str(number),
                ),
                one.name,
            )
            for number, one in enumerate(sharing.images, start=1)
        ),
    )
    if sharing.contents is not None:
        yield listing(
            "in layers of their own, but the same content as files of others",
            (COST, Column("share", 6), Column("#", 2)),
            "name",
            (
                ((format_size(cost), format_share(cost, one.size), str(number)), one.name)
                for number, (one, cost) in enumerate(zip(sharing.images, sharing.contents, strict=True), start=1)
            ),
        )
    yield listing(
        "layers that several have",
        (Column("size"), Column("digest", 12)),
        "images",
        (((format_size(one.size), short(one.digest)), _numbers(one.images)) for one in sharing.layers),
    )


def _numbers(images: Sequence[int]) -> str:
    return ", ".join(str(number + 1) for number in images)


def _sums(sums: Sums) -> str:
    return f"{plural(sums.files, 'file')}, {format_size(sums.cost)} compressed"


def _size(cost: int) -> str:
    return format_size(cost) if cost else "-"


def _unchanged(layer: LayerCompared) -> str:
    return format_size(layer.unchanged) if layer.unchanged else "-"


def _versions(before: str, after: str) -> str:
    if before and after:
        return f"{before} → {after}"
    return f"{after} (added)" if after else f"{before} (removed)"
