"""Where layers are cut: decisions alone, over members and made-up costs."""

import itertools
import random
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerkit.errors import CannotFixError, UnsplittableError
from layerkit.plan.placement import Replan
from layerkit.plan.planner import FRAME, MOST_SHELVES, WARY, WINDOW, Constraints, Planner, Stuck, too_large
from layerkit.tar.framing import Framer, Member
from layerkit.tar.header import Kind
from tests import tar_building as tar
from tests.splitting import split_tar


class Plan(NamedTuple):
    parts: list[list[Member]]
    sizes: list[int]
    """Cost of each part's members, what is repeated not included."""
    stuck: set[int]


def members_of(*runs: bytes) -> list[Member]:
    """Each run is one member."""
    framer = Framer("layer")
    return framer.feed(tar.layer(*runs))


def planned(members: Sequence[Member], costs: Sequence[int], limit: int, *, allow_oversized: bool = True) -> Plan:
    """`costs`: bytes of each member's run, compressed."""
    constraints = Constraints(limit=limit, hard_limit=limit, allow_oversized=allow_oversized)
    for _ in range(16):
        try:
            return _once(members, costs, constraints)
        except Replan as replan:
            constraints = constraints.learned(replan)
    raise AssertionError("no plan in 16 tries")


def _once(members: Sequence[Member], costs: Sequence[int], constraints: Constraints) -> Plan:
    planner = Planner("layer", constraints, lambda text: None)
    cuts, cost = [0], 0
    for number, member in enumerate(members):
        step = planner.add(member, cost)
        if step is not None and step.head is not None:
            cuts.append(number)
        cost += costs[number]
    planner.finish(cost)
    edges = [*cuts, len(members)]
    spans = list(itertools.pairwise(edges))
    return Plan(
        [list(members[begin:end]) for begin, end in spans], [sum(costs[begin:end]) for begin, end in spans], set(planner.stuck)
    )


def noise_costs(members: Sequence[Member]) -> list[int]:
    """Nothing compresses."""
    return [member.end - member.start for member in members]


@settings(max_examples=150)
@given(
    sizes=st.lists(st.integers(0, 30_000), min_size=1, max_size=80),
    ratio=st.floats(0.01, 1.0),
    limit=st.integers(66_000, 200_000),
)
def test_every_part_is_within_the_limit(sizes: list[int], ratio: float, limit: int) -> None:
    members = members_of(*(tar.file(f"f{number}", bytes(size)) for number, size in enumerate(sizes)))
    costs = [int((member.end - member.start) * ratio) for member in members]
    plan = planned(members, costs, limit)
    assert max(plan.sizes) <= limit
    assert not plan.stuck
    assert [member for part in plan.parts for member in part] == members
    if members[-1].end + 1000 <= WINDOW * limit:
        assert len(plan.parts) == 1


@settings(max_examples=100)
@given(
    sizes=st.lists(st.one_of(st.integers(0, 20_000), st.just(300_000)), min_size=1, max_size=40), allow_oversized=st.booleans()
)
def test_what_is_too_large_stands_alone_or_is_refused(sizes: list[int], allow_oversized: bool) -> None:
    limit = 100_000
    members = members_of(*(tar.file(f"f{number}", bytes(size)) for number, size in enumerate(sizes)))
    if not allow_oversized and max(sizes) > limit:
        with pytest.raises(UnsplittableError, match=r"f\d+ is 300,\d{3} bytes compressed \(300,000 bytes as a file\)"):
            planned(members, noise_costs(members), limit, allow_oversized=False)
        return
    plan = planned(members, noise_costs(members), limit, allow_oversized=allow_oversized)
    for number, size in enumerate(plan.sizes):
        assert (size > limit) == (number in plan.stuck)
        assert size <= limit or len(plan.parts[number]) == 1


@settings(max_examples=100)
@given(
    spans=st.lists(st.tuples(st.integers(0, 15_000), st.integers(0, 4)), min_size=1, max_size=40),
    limit=st.integers(66_000, 150_000),
)
def test_no_part_begins_with_a_hard_link(spans: list[tuple[int, int]], limit: int) -> None:
    """It would go back to its target's part."""
    runs = []
    for number, (size, links) in enumerate(spans):
        runs.append(tar.file(f"f{number}", bytes(size)))
        runs += [tar.hard_link(f"f{number}-{link}", f"f{number}") for link in range(links)]
    members = members_of(*runs)
    plan = planned(members, noise_costs(members), limit)
    assert all(part[0].kind is not Kind.HARD_LINK for part in plan.parts)


NAMES = ["".join(random.Random(number).choices("abcdefghijklmnopqrstuvwxyz", k=8)) for number in range(100)]


def release(seed: int, changed: int | None = None) -> list[bytes]:
    """100 packages of 30 files; `changed` is one of them in another version: files added, removed, and of other sizes."""
    runs = []
    for package in range(100):
        chance = random.Random(seed * 1000 + package + (500 if package == changed else 0))
        files = 30 if package != changed else 34
        runs.append(tar.directory(f"lib/{NAMES[package]}"))
        for number in range(files):
            version = "new" if package == changed and number % 5 == 0 else "old"
            runs.append(tar.file(f"lib/{NAMES[package]}/{version}-{number}", bytes(chance.randrange(3_000))))
    return runs


def test_cuts_stay_where_nothing_changed() -> None:
    """One package of a hundred replaced: in most cases one part of eight or more is new, seldom more than two. In the others the
    change of size moved a window's edge over a member, and the cuts that follow have to find back."""
    limit = 600_000
    new_parts = []
    for seed in range(4):
        before = members_of(*release(seed))
        plan = planned(before, noise_costs(before), limit)
        known = {tuple((member.path, member.size) for member in part) for part in plan.parts}
        assert len(known) >= 8
        for changed in range(3, 100, 12):
            after = members_of(*release(seed, changed))
            parts = planned(after, noise_costs(after), limit).parts
            new_parts.append(sum(tuple((member.path, member.size) for member in part) not in known for part in parts))
    assert min(new_parts) == 1
    assert sum(count == 1 for count in new_parts) >= 0.7 * len(new_parts), new_parts
    assert sum(count > 2 for count in new_parts) <= 0.15 * len(new_parts), new_parts


@settings(max_examples=100)
@given(
    sizes=st.lists(st.integers(0, 30_000), min_size=1, max_size=80),
    depths=st.lists(st.integers(0, 3), min_size=80, max_size=80),
    ratio=st.floats(0.05, 1.0),
    limit=st.integers(90_000, 150_000),
)
def test_nothing_is_cut_below_the_window_but_before_a_file_that_might_not_fit(
    sizes: list[int], depths: list[int], ratio: float, limit: int
) -> None:
    members = members_of(
        *(
            tar.file("a/" * depth + f"{'abc'[number % 3]}{number}", bytes(size))
            for number, (size, depth) in enumerate(zip(sizes, depths, strict=False))
        )
    )
    costs = [int((member.end - member.start) * ratio) for member in members]
    plan = planned(members, costs, limit)
    for size, following in zip(plan.sizes, plan.parts[1:], strict=False):
        run = following[0].end - following[0].start
        assert size + FRAME >= WINDOW * limit or (size + FRAME >= WARY * limit and size + run * 1.001 + 2 * FRAME >= limit)


def test_a_file_that_begins_early_and_does_not_fit_makes_another_plan() -> None:
    """Once: from there on the layer is cut before every file that might not fit."""
    runs = [tar.file("text", bytes(200_000)), tar.file("noise", bytes(90_000)), tar.file("more", bytes(20_000))] * 4
    members = members_of(*runs)
    costs = [(member.end - member.start) // (10 if member.path == b"text" else 1) for member in members]
    constraints = Constraints(limit=100_000, hard_limit=100_000)
    with pytest.raises(Replan) as raised:
        _once(members, costs, constraints)
    assert raised.value.wary_from == members[1].start
    plan = _once(members, costs, constraints.learned(raised.value))
    assert max(plan.sizes) <= 100_000
    assert not plan.stuck


@settings(max_examples=100)
@given(sizes=st.lists(st.integers(0, 30_000), min_size=1, max_size=80), limit=st.integers(66_000, 200_000))
def test_what_is_left_is_not_cut_when_it_fits(sizes: list[int], limit: int) -> None:
    members = members_of(*(tar.file(f"f{number}", bytes(size)) for number, size in enumerate(sizes)))
    costs = noise_costs(members)
    plan = _once(members, costs, Constraints(limit=limit, hard_limit=limit, total=sum(costs)))
    assert max(plan.sizes) <= limit
    assert all(before + after + FRAME > limit for before, after in itertools.pairwise([*plan.sizes[-2:]]))


def test_a_file_that_will_not_fit_needs_no_second_plan() -> None:
    """As what came before it doesn't compress, it isn't expected to."""
    runs = [tar.file("small", bytes(20_000)), tar.file("large", bytes(90_000)), tar.file("more", bytes(20_000))] * 4
    members = members_of(*runs)
    plan = _once(members, noise_costs(members), Constraints(limit=100_000, hard_limit=100_000))
    assert max(plan.sizes) <= 100_000


def test_no_part_ends_with_a_global_header() -> None:
    """It says something of the members behind it."""
    runs: list[bytes] = []
    for number in range(40):
        runs += [tar.global_header({"comment": str(number)}), tar.file(f"f{number}", bytes(9_000))]
    members = members_of(*runs)
    plan = planned(members, noise_costs(members), 66_000)
    assert len(plan.parts) > 4
    assert all(part[-1].kind is not Kind.GLOBAL for part in plan.parts)


def test_no_part_ends_with_a_global_header_whose_member_moves() -> None:
    """The hard links behind it go where their target is, before a cut and at the layer's end."""
    chance = random.Random(4)
    runs = [tar.file("first", chance.randbytes(1000))]
    for number in range(12):
        runs += [tar.file(f"f{number}", chance.randbytes(20_000))]
        runs += [tar.global_header({"comment": str(number)}), tar.hard_link(f"link{number}", "first")]
    parts = split_tar(tar.layer(*runs), 66_000, proven=True)
    assert len(parts) > 3
    for part in parts:
        assert members_of(part.removesuffix(tar.END))[-1].kind is not Kind.GLOBAL


def test_what_comes_late_makes_parts_smaller_until_they_fit() -> None:
    """Lowering the limit a little leaves the cuts where they are: before the same large files."""
    chance = random.Random(5)
    files = [tar.file(f"f{number}", chance.randbytes(14_848)) for number in range(12)]  # four are 61,440 bytes
    links = [tar.hard_link(f"l{number}", "f1", xattrs={"user.x": chance.randbytes(150).hex()}) for number in range(3)]
    assert len(split_tar(tar.layer(*files, *links), 67_000, proven=True)) == 4  # with the links 67,072


def test_global_headers_are_repeated_once_in_each_part() -> None:
    """And not before every hard link that comes late."""
    runs = [tar.file(f"f{number}", random.Random(number).randbytes(30_000)) for number in range(6)]
    for number in range(30):
        runs += [tar.global_header({"comment": str(number)}), tar.hard_link(f"link{number}", "f0"), tar.file(f"n{number}", b"x")]
    parts = split_tar(tar.layer(*runs), 250_000 // 3, proven=True)
    for part in parts:
        assert sum(member.kind is Kind.GLOBAL for member in members_of(part.removesuffix(tar.END))) <= 30


def test_packages_stay_whole() -> None:
    """Nearly all cuts are between packages, as nearly each window holds the beginning of one that passes."""
    firsts = []
    for seed in range(6):
        members = members_of(*release(seed))
        firsts += [part[0].kind for part in planned(members, noise_costs(members), 600_000).parts]
    assert firsts.count(Kind.DIRECTORY) >= 0.85 * len(firsts)


@settings(max_examples=50)
@given(
    shelf=st.sampled_from(["site-packages", "dist-packages", "node_modules", "gems", "other"]),
    place=st.integers(0, 25),
    times=st.lists(st.integers(1, 2_000_000_000), min_size=2, max_size=2),
)
def test_a_shelf_has_its_time_in_the_last_words_alone(shelf: str, place: int, times: list[int]) -> None:
    """Wherever it is in a part; a directory like others has it where it is, too."""
    found = []
    for time in times:
        runs = [tar.file(f"a-{number:02}", bytes(20_000)) for number in range(25)]
        runs.insert(place, tar.directory(f"b/{shelf}", mtime=time))
        runs[place + 1 : place + 1] = [tar.file(f"b/{shelf}/f{number}", bytes(20_000)) for number in range(10)]
        members = members_of(*runs)
        planner = Planner("layer", Constraints(limit=150_000, hard_limit=150_000), lambda text: None)
        steps = [planner.add(member, member.start) for member in members]
        planner.finish(members[-1].end)
        at = steps[place]
        assert (at is not None and not at.keep) == (shelf != "other" or place == 0)
        found.append([(step.insert, step.head) for step in steps if step is not None])
        assert runs[place] in planner.last_words()
    assert found[0] == found[1]


def test_few_shelves_lose_their_times() -> None:
    """Each costs an edge to be encoded."""
    members = members_of(tar.file("a", b""), *(tar.directory(f"{number:03}/node_modules") for number in range(100)))
    planner = Planner("layer", Constraints(limit=150_000, hard_limit=150_000), lambda text: None)
    assert sum(planner.add(member, member.start) is not None for member in members) == MOST_SHELVES


def test_a_layer_left_whole_keeps_its_times() -> None:
    members = members_of(tar.file("a", b""), tar.directory("node_modules"))
    constraints = Constraints(limit=150_000, hard_limit=150_000)
    with pytest.raises(Replan) as raised:
        _once(members, noise_costs(members), constraints)
    planner = Planner("layer", constraints.learned(raised.value), lambda text: None)
    assert [planner.add(member, member.start) for member in members] == [None, None]


def test_parts_are_neither_many_nor_small() -> None:
    members = members_of(*release(9))
    costs = noise_costs(members)
    sizes = planned(members, costs, 600_000).sizes
    assert min(sizes[:-1]) >= 0.55 * 600_000, "cuts are in the last 40 % of the limit"
    assert len(sizes) <= -(-sum(costs) // (600_000 * 3 // 5))


@pytest.mark.parametrize("limit", [66_000, 1_000_000])
def test_the_same_members_give_the_same_cuts(limit: int) -> None:
    members = members_of(*release(1)[:300])
    first, second = (planned(members, noise_costs(members), limit) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("limit", range(2 * 512, 12 * 512, 512))
def test_repeated_entries_alone_may_fill_a_part(limit: int) -> None:
    """Then nothing can be cut off: what comes next stays with them, or there is an error."""
    times = {"pax": {"mtime": "0.25"}}  # which the small last part would hold
    source = tar.layer(tar.directory("long-" * 30, gnu=True, **times), tar.fifo("a", **times))
    try:
        parts = split_tar(source, limit)
    except CannotFixError as error:
        assert "--max-layer-size" in str(error)
    else:
        assert max(map(len, parts)) <= limit


def test_the_error_says_what_is_too_large() -> None:
    (first,) = members_of(tar.file("big", b"x" * 600))
    alone = str(too_large("layer", Stuck(first, 1), 900, 500))
    assert alone.startswith(
        "layer: big is 900 bytes compressed (600 bytes as a file), over the limit of 500 bytes. One file can't"
    )
    together = str(too_large("layer", Stuck(first, 3), 900, 500))
    assert together.startswith("layer: big and 2 members that must stay with it are 900 bytes compressed, over the limit")
    assert "What belongs together (hard links" in together
