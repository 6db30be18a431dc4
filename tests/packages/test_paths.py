"""Where paths really are, judged by the kernel."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.packages.paths import MAX_PATH, Paths


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/lib/x/y", b"usr/lib/x/y"),
        (b"lib/y", b"usr/lib/y"),
        (b"//usr/./lib//y", b"usr/lib/y"),
        (b"/usr/lib/../bin/y", b"usr/bin/y"),
        (b"/../../y", b"y"),
        (b"/deep/y", b"usr/lib/inner/y"),
        (b"/absolute/y", b"usr/bin/y"),
        (b"/lib", b"lib"),
        (b"/loop/y", None),
        (b"/.", None),
        (b"/usr/..", None),
        (b"", None),
        (b"/a" * MAX_PATH, None),
    ],
)
def test_real_paths(path: bytes, expected: bytes | None) -> None:
    links = {b"lib": b"usr/lib", b"deep": b"lib/inner", b"absolute": b"/usr/bin", b"loop": b"loop/x"}
    assert Paths(links.get).real(path) == expected


def test_links_that_grow_end() -> None:
    assert Paths({b"a": b"a/" * 2000 + b"a"}.get).real(b"a/b") is None


NAMES = st.sampled_from(["a", "b", "c", "..", "."])


@given(
    st.dictionaries(st.sampled_from(["a", "b", "a/b", "b/c", "c/a"]), st.lists(NAMES, min_size=1, max_size=3), max_size=4),
    st.lists(NAMES, min_size=1, max_size=4),
)
def test_as_the_kernel_finds_them(
    tmp_path_factory: pytest.TempPathFactory, links: dict[str, list[str]], parts: list[str]
) -> None:
    """Relative links only: absolute ones would lead out of the folder."""
    top = tmp_path_factory.mktemp("root").resolve()
    made = {}
    for path, target in links.items():
        here = top / path
        if here.parent.is_dir() and here.parent.resolve() == here.parent and not here.is_symlink() and not here.exists():
            here.symlink_to("/".join(target))
            made[path.encode()] = "/".join(target).encode()
        elif not here.parent.exists() and not here.parent.is_symlink():
            here.parent.mkdir()
    folder = Path(top, *parts)
    try:
        os.stat(folder)  # noqa: PTH116
    except OSError:
        return
    if not folder.resolve().is_relative_to(top):
        return
    expected = (folder.resolve() / "file").relative_to(top)
    assert Paths(made.get).real(b"/".join([*map(str.encode, parts), b"file"])) == os.fsencode(expected)
