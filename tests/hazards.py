"""What makes a layer hard to split, each as small as it can be.

`hazards()` gives, by name, the layers below and the member runs of the layer to be split. `under` puts everything into a
directory of its own, so that all hazards fit into one image.
"""

from typing import NamedTuple

from tests.tar_building import (
    block_device,
    char_device,
    directory,
    fifo,
    file,
    global_header,
    gnu_sparse,
    hard_link,
    member,
    opaque,
    pax_sparse,
    symlink,
    whiteout,
)

CAPABILITY = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
"""`security.capability` of cap_net_raw=ep: version 2, effective, permitted bit 13."""

OLD, NEW = 1_500_000_000, 1_600_000_000
"""Times of what is below and of what is in the layer, in seconds."""


class Hazard(NamedTuple):
    below: list[list[bytes]]
    """Layers under the one to be split, as member runs."""
    runs: list[bytes]
    """Members of the one to be split."""
    unpacks: bool = True
    """Do all appliers take it as it is? They differ on duplicates and on markers beside what they hide. None takes links
    out of a layer or old sparse files ("unhandled tar header type 83"), umoci no global headers, dockerd none twice."""
    may_refuse: bool = False
    """Is there a place at which no split is safe, so that with too much between two members there is none at all?"""


def hazards(under: str = "") -> dict[str, Hazard]:
    """All of them. `under` ends in a slash, or is empty."""
    u = under
    d = {"mtime": NEW}

    def old(path: str, data: bytes = b"old") -> bytes:
        return file(u + path, data, mtime=OLD)

    found = {
        "hard link after its target": Hazard([], [file(u + "a", b"1"), file(u + "b"), hard_link(u + "l", u + "a")]),
        "links to links": Hazard(
            [],
            [
                file(u + "a", b"1"),
                hard_link(u + "l", u + "a"),
                hard_link(u + "m", u + "l"),
                file(u + "z"),
                hard_link(u + "n", u + "m"),
            ],
        ),
        "link into a closed directory": Hazard(
            [],
            [file(u + "a", b"1"), directory(u + "d", mode=0o700, uid=5, **d), hard_link(u + "d/l", u + "a"), file(u + "d/x")],
        ),
        "link that sets attributes": Hazard(
            [], [file(u + "a", b"1", mode=0o644), hard_link(u + "l", u + "a", mode=0o600), file(u + "z")]
        ),
        "link to a symlink": Hazard([], [symlink(u + "s", "nowhere"), file(u + "z"), hard_link(u + "l", u + "s")]),
        "link to a symlink that is a parent": Hazard(
            [],
            [
                directory(u + "usr/lib", mode=0o711),
                symlink(u + "lib", "usr/lib"),
                hard_link(u + "lib2", u + "lib"),
                file(u + "lib/a"),
                file(u + "lib2/b"),
            ],
            may_refuse=True,
        ),
        "link over a lower file": Hazard([[old("l")]], [file(u + "a", b"1"), file(u + "z"), hard_link(u + "l", u + "a")]),
        "link named through a symlink": Hazard(
            [],
            [
                directory(u + "usr/lib", mode=0o711),
                symlink(u + "lib", "usr/lib"),
                file(u + "lib/a", b"1"),
                file(u + "z"),
                hard_link(u + "lib/l", u + "lib/a"),
                hard_link(u + "k", u + "usr/lib/a"),
            ],
        ),
        "link beyond an opaque marker": Hazard(
            [[old("d/old")]],
            [file(u + "a", b"1"), directory(u + "d", mode=0o700, **d), opaque(u + "d"), hard_link(u + "d/l", u + "a")],
        ),
        "link over what it whites out": Hazard(
            [[old("l")]],
            [file(u + "a", b"1"), whiteout(u + "l"), hard_link(u + "l", u + "a")],
            unpacks=False,
            may_refuse=True,
        ),
        "link to a replaced file": Hazard(
            [],
            [
                file(u + "a", b"1"),
                hard_link(u + "l", u + "a"),
                file(u + "a", b"22"),
                hard_link(u + "m", u + "a"),
                hard_link(u + "n", u + "l"),
            ],
            unpacks=False,
            may_refuse=True,
        ),
        "link to what a replaced directory held": Hazard(
            [], [file(u + "d/a", b"1"), file(u + "d", b"2"), hard_link(u + "l", u + "d/a")], unpacks=False
        ),
        "link out of the layer": Hazard([[old("a")]], [file(u + "z"), hard_link(u + "l", u + "a"), file(u + "y")], unpacks=False),
        "directories with attributes": Hazard(
            [],
            [
                directory(u + "d", mode=0o700, uid=7, gid=8, xattrs={"user.d": "1"}, **d),
                file(u + "d/a"),
                directory(u + "d/e", mode=0o1777, **d),
                file(u + "d/e/b"),
                directory(u + "d/e/f", mode=0o2750, gid=9, **d),
                file(u + "d/e/f/c"),
                file(u + "z"),
            ],
        ),
        "directories over lower ones": Hazard(
            [[directory(u + "d", mode=0o755, mtime=OLD), old("d/old")]],
            [directory(u + "d", mode=0o700, **d), file(u + "d/a"), file(u + "d/b"), file(u + "d/c")],
        ),
        "directories only implied": Hazard(
            [[directory(u + "d", mode=0o700, uid=3, mtime=OLD), old("d/old")]],
            [file(u + "d/a"), file(u + "d/e/b"), file(u + "d/e/c")],
        ),
        "directory after its children": Hazard(
            [], [file(u + "d/a"), file(u + "d/b"), directory(u + "d", mode=0o700, **d), file(u + "d/c"), file(u + "z")]
        ),
        "directory twice": Hazard(
            [],
            [directory(u + "d", mode=0o700), file(u + "d/a"), directory(u + "d", mode=0o711, **d), file(u + "d/b")],
            unpacks=False,
        ),
        "symlink as a parent": Hazard(
            [],
            [
                directory(u + "usr/lib", mode=0o711, **d),
                file(u + "usr/lib/a"),
                symlink(u + "lib", "usr/lib"),
                file(u + "lib/b"),
                file(u + "lib/c"),
            ],
        ),
        "absolute symlink as a parent": Hazard(
            [],
            [directory(u + "usr/lib", mode=0o711, **d), symlink(u + "lib", f"/{u}usr/lib"), file(u + "lib/b"), file(u + "lib/c")],
        ),
        "chain of symlinks as a parent": Hazard(
            [],
            [
                directory(u + "x/y", mode=0o700, **d),
                symlink(u + "s", "x"),
                symlink(u + "t", "s/y"),
                file(u + "t/a"),
                file(u + "t/../b"),
                file(u + "t/c"),
            ],
        ),
        "directory named through a symlink, then plainly": Hazard(
            [],
            [
                directory(u + "usr", **d),
                directory(u + "usr/lib", mode=0o711, **d),
                symlink(u + "lib", "usr/lib"),
                directory(u + "lib/x", mode=0o700, uid=3, **d),
                file(u + "lib/x/a"),
                file(u + "usr/lib/x/b"),
                file(u + "usr/lib/x/c"),
            ],
        ),
        "directory in the place of the symlink that it is named through": Hazard(
            [],
            [
                directory(u + "a", **d),
                symlink(u + "a", "."),
                directory(u + "a/a", mode=0o700, **d),
                file(u + "c"),
                file(u + "a/b"),
            ],
            unpacks=False,
            may_refuse=True,
        ),
        "symlink as a parent over a lower directory": Hazard(
            [[directory(u + "usr/lib", mtime=OLD), old("usr/lib/old")]],
            [
                directory(u + "usr", mode=0o711),
                directory(u + "usr/lib"),
                symlink(u + "lib", "usr/lib"),
                file(u + "lib/a"),
                file(u + "lib/b"),
            ],
        ),
        "opaque directory": Hazard(
            [[directory(u + "d", mtime=OLD), old("d/old"), old("d/e/older")]],
            [
                directory(u + "d", mode=0o700, **d),
                opaque(u + "d"),
                file(u + "d/a"),
                directory(u + "d/e"),
                file(u + "d/e/b"),
                file(u + "z"),
            ],
        ),
        "opaque marker last": Hazard(
            [[old("d/old")]], [directory(u + "d", mode=0o700, **d), file(u + "d/a"), file(u + "d/b"), opaque(u + "d")]
        ),
        "opaque directory without an entry": Hazard(
            [[old("d/e/old")]], [file(u + "d/e/a"), opaque(u + "d/e"), file(u + "d/e/b")]
        ),
        "opaque directories in each other": Hazard(
            [[old("d/old"), old("d/e/old")]],
            [directory(u + "d"), opaque(u + "d"), directory(u + "d/e"), opaque(u + "d/e"), file(u + "d/e/a"), file(u + "d/b")],
        ),
        "overlay's mark of an opaque directory": Hazard(
            [[old("d/old"), old("d/e/older")]],
            [
                directory(u + "d", mode=0o700, xattrs={"user.overlay.opaque": "y", "user.d": "1"}, **d),
                file(u + "d/a"),
                directory(u + "d/e", xattrs={"user.fuseoverlayfs.opaque": "y"}),
                file(u + "d/e/b"),
                file(u + "d/c"),
                file(u + "z"),
            ],
        ),
        "overlay's mark after what it is about": Hazard(
            [[old("d/old")]],
            [file(u + "d/a"), file(u + "d/b"), directory(u + "d", xattrs={"user.overlay.opaque": "y"}, **d), file(u + "d/c")],
            may_refuse=True,
        ),
        "overlay's mark twice": Hazard(
            [[old("d/old")]],
            [
                directory(u + "d", mode=0o700, **d),
                file(u + "d/a"),
                directory(u + "d", xattrs={"user.overlay.opaque": "y"}, **d),
                file(u + "d/b"),
            ],
            unpacks=False,
            may_refuse=True,
        ),
        "overlay's mark given twice": Hazard(
            [[old("d/old")]],
            [
                directory(u + "d", xattrs={"user.overlay.opaque": "y"}, **d),
                file(u + "y"),
                directory(u + "d", xattrs={"user.overlay.opaque": "y", "user.fuseoverlayfs.opaque": "y"}, **d),
                file(u + "z"),
            ],
            may_refuse=True,
        ),
        "overlay's mark on a shelf": Hazard(
            [],
            [
                directory(u + "node_modules", xattrs={"user.overlay.opaque": "y"}, **d),
                file(u + "node_modules/a"),
                file(u + "node_modules/b"),
            ],
        ),
        "link beyond an overlay's mark": Hazard(
            [[old("d/old")]],
            [
                file(u + "a", b"1"),
                directory(u + "d", mode=0o700, xattrs={"user.overlay.opaque": "y"}, **d),
                hard_link(u + "d/l", u + "a"),
                file(u + "d/x"),
            ],
            may_refuse=True,
        ),
        "overlay's redirect": Hazard(
            [[directory(u + "other", mtime=OLD), old("other/old")]],
            [
                directory(u + "other"),
                file(u + "other/x"),
                directory(u + "d", xattrs={"trusted.overlay.redirect": f"/{u}other"}),
                file(u + "d/a"),
            ],
            unpacks=False,
            may_refuse=True,
        ),
        "opaque through a symlink": Hazard(
            [[old("usr/lib/old")]],
            [
                directory(u + "usr/lib"),
                symlink(u + "lib", "usr/lib"),
                file(u + "usr/lib/a"),
                opaque(u + "lib"),
                file(u + "lib/b"),
            ],
            unpacks=False,
        ),
        "whiteouts": Hazard(
            [[old("x"), old("d/x"), old("gone/a"), old("gone/b/c")]],
            [
                whiteout(u + "x"),
                directory(u + "d", mode=0o700, **d),
                whiteout(u + "d/x"),
                file(u + "d/y"),
                whiteout(u + "gone"),
                file(u + "z"),
            ],
        ),
        "whiteouts last": Hazard(
            [[old("x"), old("d/x")]], [file(u + "d/y"), file(u + "z"), whiteout(u + "d/x"), whiteout(u + "x")]
        ),
        "whiteout of a lower name beside longer ones": Hazard(
            [[old("x"), old("xy")]], [file(u + "x2"), file(u + "xyz"), whiteout(u + "x"), file(u + "xz")]
        ),
        "whiteout through a symlink": Hazard(
            [[old("usr/lib/x"), old("usr/lib/y")]],
            [
                directory(u + "usr/lib"),
                symlink(u + "lib", "usr/lib"),
                file(u + "lib/a"),
                whiteout(u + "lib/x"),
                file(u + "lib/b"),
            ],
        ),
        "whiteout, then the file": Hazard(
            [[old("x")]], [whiteout(u + "x"), file(u + "x", b"new"), file(u + "z")], unpacks=False, may_refuse=True
        ),
        "the file, then its whiteout": Hazard(
            [[old("x")]], [file(u + "x", b"new"), file(u + "z"), whiteout(u + "x")], unpacks=False, may_refuse=True
        ),
        "whiteout, then a directory": Hazard(
            [[old("x/old")]],
            [whiteout(u + "x"), directory(u + "x", mode=0o700), file(u + "x/a"), file(u + "x/b")],
            unpacks=False,
            may_refuse=True,
        ),
        "a directory, then its whiteout": Hazard(
            [[old("x/old")]],
            [directory(u + "x", mode=0o700), file(u + "x/a"), file(u + "x/b"), whiteout(u + "x")],
            unpacks=False,
            may_refuse=True,
        ),
        "file twice": Hazard([], [file(u + "a", b"1"), file(u + "z"), file(u + "a", b"22")], unpacks=False),
        "file, then directory": Hazard(
            [[old("a/old")]],
            [file(u + "a", b"1"), file(u + "z"), directory(u + "a"), file(u + "a/b")],
            unpacks=False,
            may_refuse=True,
        ),
        "directory, then file": Hazard(
            [],
            [directory(u + "a", mode=0o700), file(u + "a/b"), file(u + "z"), file(u + "a", b"1")],
            unpacks=False,
            may_refuse=True,
        ),
        "symlink, then directory": Hazard(
            [],
            [directory(u + "t"), symlink(u + "a", "t"), file(u + "a/x"), directory(u + "a", mode=0o700), file(u + "a/y")],
            unpacks=False,
            may_refuse=True,
        ),
        "directory with entries below, then file": Hazard(
            [],
            [directory(u + "d"), file(u + "d/x"), directory(u + "d/e"), file(u + "d/e/y"), file(u + "d"), file(u + "z")],
            unpacks=False,
            may_refuse=True,
        ),
        "implied directory, then symlink": Hazard(
            [],
            [directory(u + "a"), directory(u + "b/c/d"), symlink(u + "b", "a"), file(u + "z"), file(u + "b/x")],
            unpacks=False,
            may_refuse=True,
        ),
        "file over a lower directory": Hazard([[old("a/b"), old("a/c")]], [file(u + "a", b"1"), file(u + "z")]),
        "directory over a lower file": Hazard([[old("a")]], [directory(u + "a"), file(u + "a/b"), file(u + "a/c")]),
        "directory over a lower symlink": Hazard(
            [[directory(u + "t"), symlink(u + "a", "t")]], [directory(u + "a", mode=0o711), file(u + "a/b"), file(u + "a/c")]
        ),
        "pax headers": Hazard(
            [],
            [
                file(u + "p" * 150, b"1", pax={"mtime": "1600000000.123456789", "comment": "x"}),
                symlink(u + "s", "t" * 150),
                file(u + "n", uid=3_000_000_000, gid=70_000),
                file(u + "cap", b"#!", mode=0o755, xattrs={"security.capability": CAPABILITY}),
                file(u + "x", xattrs={"user.empty": "", "user.newline": "a\nb"}),
                hard_link(u + "h", u + "p" * 150, pax={"mtime": "1600000000.123456789"}),
            ],
        ),
        "gnu headers": Hazard(
            [],
            [
                file(u + "g" * 150, b"1", gnu=True),
                symlink(u + "s", "t" * 150, gnu=True),
                file(u + "n", uid=2_097_152 + 5, gnu=True),
                hard_link(u + "h", u + "g" * 150, gnu=True),
                file(u + "old", mtime=-86_400, gnu=True),
            ],
        ),
        "names that are no UTF-8": Hazard(
            [], [directory(u.encode() + b"\xff"), file(u.encode() + b"\xff/\xfe", b"1"), file(u.encode() + b"\xff/ok")]
        ),
        "pax path that is no UTF-8": Hazard(
            [],
            [
                file(u + "z"),
                member(u + "fallback", b"0", data=b"1", pax={"hdrcharset": "BINARY", b"path": u.encode() + b"\xff\xfd"}),
            ],
        ),
        "sparse files": Hazard([], [file(u + "z"), pax_sparse(u + "p", [(4096, b"c" * 100)], 10_000), file(u + "y")]),
        "old sparse files": Hazard(
            [],
            [
                gnu_sparse(u + "g", [(0, b"a" * 512), (8192, b"b" * 300)], 8492),
                file(u + "z"),
                gnu_sparse(u + "hole", [(4096, b"")], 4096),
            ],
            unpacks=False,
        ),
        "pax global headers": Hazard(
            [],
            [
                file(u + "before"),
                global_header({"comment": "one"}),
                directory(u + "d", mode=0o700),
                file(u + "d/a"),
                global_header({"comment": "two", "mtime": "5"}),
                file(u + "d/b"),
                file(u + "d/c"),
            ],
            unpacks=False,
        ),
        "devices and fifos": Hazard(
            [],
            [
                directory(u + "dev", mode=0o711),
                char_device(u + "dev/null", 1, 3, mode=0o666),
                block_device(u + "dev/sda", 8, 300),
                fifo(u + "dev/p"),
            ],
        ),
        "modes": Hazard(
            [],
            [
                file(u + "setuid", mode=0o4755),
                file(u + "setgid", mode=0o2755),
                file(u + "none", mode=0),
                directory(u + "sticky", mode=0o1777),
                file(u + "sticky/a", mode=0o400),
            ],
        ),
        "spellings of one path": Hazard(
            [[old("a/old")]],
            [
                directory(f"./{u}a/", mode=0o700, **d),
                file(f"/{u}a/b"),
                file(f"./{u}a//c"),
                file(f"{u}q/../a/d"),
                hard_link(f"./{u}l", f"/{u}a/b"),
                whiteout(f"./{u}a/old"),
            ],
        ),
    }
    if not under:
        found["attributes of the root"] = Hazard(
            [[directory("./", mode=0o755, mtime=OLD)]], [directory("./", mode=0o711, **d), file("a"), file("b/c"), file("b/d")]
        )
        found["opaque root"] = Hazard([[old("a"), old("b/c")]], [file("x"), opaque(""), file("b/d")])
    return found
