"""Tests of the tests: each rule of placement is broken on purpose, and the hazards notice."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from layerkit.errors import LayerkitError
from layerkit.filesystem import compare, merged_view
from layerkit.layers.one_pass import _Plan
from layerkit.plan import tree
from layerkit.plan.placement import Placement, Replan, Step
from layerkit.plan.planner import Planner
from layerkit.plan.tree import Tree
from layerkit.tar.header import END_OF_ARCHIVE, Kind
from tests.hazards import hazards
from tests.splitting import cut_at, split_tar
from tests.tar_building import layer

Break = Callable[[pytest.MonkeyPatch], None]


def no_repeating(patch: pytest.MonkeyPatch) -> None:
    """Ancestors are left to the applier."""
    patch.setattr(Placement, "repeat", lambda self, ancestors, part=None: b"")
    patch.setattr(Tree, "last_words", lambda self: b"")


def times_forgotten(patch: pytest.MonkeyPatch) -> None:
    """No part above the others that has the directories as they are."""
    patch.setattr(Tree, "last_words", lambda self: b"")


def times_in_the_last_part(patch: pytest.MonkeyPatch) -> None:
    """The same in the last part, where they stand already: what dockerd and podman refuse."""
    patch.setattr(_Plan, "tail", property(lambda self: self._planner.last_words() + END_OF_ARCHIVE))
    patch.setattr(_Plan, "last_words", lambda self: b"")


def symlinks_not_repeated(patch: pytest.MonkeyPatch) -> None:
    repeat = Placement.repeat

    def directories_only(self: Placement, ancestors: tuple[bytes, ...], part: int | None = None) -> bytes:
        return repeat(self, tuple(path for path in ancestors if path not in self.tree._symlinks), part)

    patch.setattr(Placement, "repeat", directories_only)


def symlinks_not_followed(patch: pytest.MonkeyPatch) -> None:
    """What a symlinked parent points to isn't repeated with it."""
    locate = Tree.locate

    def literally(self: Tree, member: Any) -> Any:
        located = locate(self, member)
        return located._replace(ancestors=tuple(path for path in located.ancestors if member.path.startswith(path)))

    patch.setattr(Tree, "locate", literally)


def links_left_behind(patch: pytest.MonkeyPatch) -> None:
    """A hard link stays where it is, its target in an earlier part."""
    patch.setattr(Placement, "_link_late", lambda self, member, at, part: Step(insert=self.repeat(at.ancestors)))


def links_moved_unchecked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Placement, "_check_moves", lambda self, member, at, part: None)


def markers_left_in_place(patch: pytest.MonkeyPatch) -> None:
    """A whiteout or an opaque marker stays in the part that it came in."""
    patch.setattr(Placement, "_marker", lambda self, member, at, hides: Step(insert=self.repeat(at.ancestors)))


def opaque_in_each_part(patch: pytest.MonkeyPatch) -> None:
    """An opaque marker is repeated with its directory."""
    entry = Tree.entry

    def with_marker(self: Tree, path: bytes) -> bytes:
        return entry(self, path) + (self.markers[path][1] if path in self.markers else b"")

    patch.setattr(Tree, "entry", with_marker)
    patch.setattr(tree, "timeless", lambda head: head)


def whiteouts_torn_apart(patch: pytest.MonkeyPatch) -> None:
    """`.wh.x` and x may go to different parts."""
    patch.setattr(Placement, "_check_removed", lambda self, path, part, start: None)


def types_torn_apart(patch: pytest.MonkeyPatch) -> None:
    """x and then x/ may go to different parts."""
    patch.setattr(Placement, "_keep_together", lambda self, member, at: None)


def replaced_comes_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Tree, "_replace", lambda self, path: None)


def linked_symlinks_repeated(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Tree, "_refuse_linked", lambda self, path: None)


def first_entry_of_a_directory(patch: pytest.MonkeyPatch) -> None:
    """A directory that is listed twice is repeated as it was first."""
    record = Tree.record

    def keep(self: Tree, member: Any, located: Any, part: int) -> None:
        before = self._directories.get(located.path) if member.kind is Kind.DIRECTORY else None
        record(self, member, located, part)
        if before is not None:
            self._directories[located.path] = before

    patch.setattr(Tree, "record", keep)


def globals_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A part begins without the pax globals in force."""
    begin = Planner._begin

    def without(self: Planner, *rest: Any) -> bytes:
        kept, self._globals = self._globals, []
        head = begin(self, *rest)
        self._globals = kept
        return head

    patch.setattr(Planner, "_begin", without)


def spellings_apart(patch: pytest.MonkeyPatch) -> None:
    """`./a` and `a` are two paths."""
    locate = Tree.locate

    def as_spelled(self: Tree, member: Any) -> Any:
        return locate(self, member)._replace(path=member.name)

    patch.setattr(Tree, "locate", as_spelled)


BREAKS: tuple[Break, ...] = (
    no_repeating,
    times_forgotten,
    times_in_the_last_part,
    symlinks_not_repeated,
    symlinks_not_followed,
    links_left_behind,
    links_moved_unchecked,
    markers_left_in_place,
    opaque_in_each_part,
    whiteouts_torn_apart,
    types_torn_apart,
    replaced_comes_back,
    linked_symlinks_repeated,
    first_entry_of_a_directory,
    globals_forgotten,
    spellings_apart,
)


def failures() -> Iterator[str]:
    """Hazards and places at which something is wrong."""
    for name, hazard in hazards().items():
        below = [layer(*runs) for runs in hazard.below]
        for place in range(1, len(hazard.runs)):
            source, limit = cut_at(hazard.runs, place)
            try:
                parts = split_tar(source, limit)
                views = [merged_view([raw] for raw in (*below, *middle)) for middle in ([source], parts)]
            except (LayerkitError, Replan, AssertionError, KeyError):
                if not hazard.may_refuse:
                    yield f"{name} at {place}: an error"
                continue
            found = compare(*views)
            if found:
                yield f"{name} at {place}: {found[0]}"


@pytest.mark.parametrize("rule", BREAKS, ids=lambda rule: str(rule.__name__))
def test_broken_rule_is_noticed(rule: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    rule(monkeypatch)
    assert next(failures(), None) is not None


def test_nothing_is_wrong_as_it_is() -> None:
    assert list(failures()) == []
