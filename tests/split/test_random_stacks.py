"""Random layers with everything in them, cut at random places: the filesystem stays the same, and no part exceeds the limit."""

from collections import Counter
from collections.abc import Callable

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from layerkit.errors import CannotFixError, DamagedError
from layerkit.filesystem import compare, merged_view
from layerkit.filesystem.compare import same_markers
from layerkit.filesystem.view import layer_tree
from layerkit.image.media_types import Compression
from tests import tar_building as tar
from tests.splitting import LIMIT, cut_at, split_tar
from tests.stacks import KINDS, Op, layers, stacks, tar_of

SPLIT_KINDS = (*KINDS, "global")
EXAMPLES = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

outcomes: Counter[str] = Counter()
"""How many layers were split, kept whole, or refused."""


def has_no_way(source: bytes) -> bool:
    """No applier unpacks it, whoever splits it."""
    try:
        layer_tree([source], "layer 1")
    except DamagedError:
        return True
    return False


def same_after(split: Callable[[], list[bytes]], source: bytes, below: list[bytes], above: list[bytes]) -> None:
    try:
        parts = split()
    except CannotFixError as error:
        outcomes["refused"] += 1
        event(f"refused: {str(error)[:60]}")
        return
    outcomes["split" if len(parts) > 1 else "whole"] += 1
    event(f"{len(parts)} parts")
    before, after = (merged_view([raw] for raw in (*below, *middle, *above)) for middle in ([source], parts))
    assert compare(before, after) == []
    alone = [merged_view([raw] for raw in middle) for middle in ([source], parts)]
    assert compare(*alone) == []
    assert same_markers(*alone), "what the layers hide of those below"


@EXAMPLES
@given(
    below=stacks(max_layers=2, max_size=8),
    ops=layers(kinds=SPLIT_KINDS, max_size=14),
    above=st.one_of(st.just([]), stacks(max_layers=1, max_size=5)),
    places=st.sets(st.integers(0, 14), min_size=1, max_size=4),
    compression=st.sampled_from((Compression.NONE, Compression.NONE, Compression.GZIP, Compression.ZSTD)),
)
def test_with_ballast(
    below: list[list[Op]], ops: list[Op], above: list[list[Op]], places: set[int], compression: Compression
) -> None:
    source, limit = cut_at([op.run for op in ops], *sorted(place for place in places if place <= len(ops)) or [0])
    assert limit == LIMIT
    same_after(
        lambda: split_tar(source, limit, compression=compression),
        source,
        [tar_of(layer) for layer in below],
        [tar_of(layer) for layer in above],
    )


@EXAMPLES
@given(
    below=stacks(max_layers=1, max_size=8),
    ops=layers(kinds=SPLIT_KINDS, max_size=25),
    limit=st.integers(6, 30).map(lambda blocks: blocks * 512),
)
def test_tiny_parts(below: list[list[Op]], ops: list[Op], limit: int) -> None:
    source = tar_of(ops)
    same_after(lambda: split_tar(source, limit), source, [tar_of(layer) for layer in below], [])


@EXAMPLES
@given(data=st.data(), ops=layers(kinds=SPLIT_KINDS, max_size=14))
def test_any_order(data: st.DataObject, ops: list[Op]) -> None:
    """Links before their targets, whiteouts after what they are beside, children before their directories."""
    shuffled = data.draw(st.permutations(ops))
    source, limit = cut_at([op.run for op in shuffled], data.draw(st.integers(0, len(ops))))
    assume(not has_no_way(source))
    same_after(lambda: split_tar(source, limit), source, [tar_of(data.draw(layers(max_size=6)))], [])


@settings(max_examples=60, deadline=None)
@given(ops=layers(kinds=SPLIT_KINDS, max_size=14), place=st.integers(0, 14))
def test_same_input_same_parts(ops: list[Op], place: int) -> None:
    source, limit = cut_at([op.run for op in ops], min(place, len(ops)))
    try:
        parts = split_tar(source, limit)
    except CannotFixError:
        return
    assert parts == split_tar(source, limit)


def test_whole_layer_stays_what_it_was() -> None:
    source = tar.layer(tar.file("a", b"1"), tar.directory("d"))
    assert split_tar(source, LIMIT) == [source]


def test_most_of_them_were_split() -> None:
    """Runs last: refusing everything would pass the others."""
    assert outcomes["split"] > 2 * outcomes["refused"] + outcomes["whole"] // 2, dict(outcomes)
