"""From lines to orders: where each image goes, what is asked for, and that no two want the same tag.

In: lines, what they stand for, and the caller's word on options. Out: orders; the shard's alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from layerkit.batch.list import TO, Line, below
from layerkit.batch.run import Order
from layerkit.batch.shards import WHOLE, Shard, Weighed, fingerprint, members
from layerkit.batch.sources import Found, Sources, with_reference
from layerkit.errors import LayerkitError, UsageError
from layerkit.image.reference import Reference, app_reference, parse_reference
from layerkit.profiles import REPLICATED

Decide = Callable[[Line, Reference], Order]
"""What is asked for: the order of a line that goes to a reference. Raises UsageError for options that can't be meant."""


def orders_of(
    lines: Sequence[Line], sources: Sources, decide: Decide, *, to: str | None = None, app: str | None = None
) -> tuple[list[Order], list[tuple[Line, LayerkitError]]]:
    """All orders, and the lines whose images can't be found, with the reason. `to`: HOST/PREFIX below which images go that have
    no REFERENCE; `app`: an application's slug, by which they go to Replicated's registry. Raises UsageError for a list that can't
    be meant: then nothing is done."""
    for line in lines:
        if line.reference is None and TO not in line.options and to is None and app is None:
            raise UsageError(
                f"{line.where}: {line.image} has no REFERENCE: write it after the image, or say where images without one go: "
                "--to HOST/PREFIX"
            )
    orders: dict[str, Order] = {}
    failed: list[tuple[Line, LayerkitError]] = []
    for found in sources.found(lines):
        if isinstance(found, tuple):
            failed.append(found)
            continue
        target = _target(found, to, app)
        line = with_reference(found.line, str(target))
        order = replace(decide(line, target), size=found.size)
        other = orders.setdefault(str(target), order)
        if other is not order:
            sources.done(line)
            if (other.line.image, other.key) != (line.image, order.key):
                raise UsageError(f"{line.where}: {line.image} is to be {target}, as is {other.line.image} ({other.line.where})")
    return list(orders.values()), failed


def share(
    orders: Sequence[Order], failed: Sequence[tuple[Line, LayerkitError]], shard: Shard, sources: Sources
) -> tuple[list[Order], list[tuple[Line, LayerkitError]], str]:
    """Those that are the shard's, and what machines can compare to see that they share the same work."""
    items = [Weighed(str(order.target), order.size) for order in orders]
    items += [Weighed(f"{line.image} {line.where}", None) for line, _ in failed]
    if shard == WHOLE:
        return list(orders), list(failed), fingerprint(items)
    own = members(items, shard)
    for order in orders:
        if str(order.target) not in own:
            sources.done(order.line)
    return (
        [order for order in orders if str(order.target) in own],
        [(line, error) for line, error in failed if f"{line.image} {line.where}" in own],
        fingerprint(items),
    )


def _target(found: Found, to: str | None, app: str | None) -> Reference:
    line = found.line
    if line.reference is not None:
        return parse_reference(line.reference)
    if found.own is None:
        raise UsageError(f"{line.where}: {line.image} carries no name to go by; give it a line of its own with a REFERENCE")
    prefix = line.options[TO][-1] if TO in line.options else to
    if prefix is not None:
        return below(prefix, found.own, line.where)
    assert app is not None, "asked for above"
    return app_reference(app, found.own, REPLICATED.hosts[0])
