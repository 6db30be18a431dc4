"""Alpine's packages."""

from tests.packages.roots import listed, named, owners_of

INSTALLED = b"""C:Q1qKcZ+j23xssAXmgQhkOO8dHnbWw=
P:musl
V:1.2.4-r2
A:x86_64
S:383459
I:622592
T:the musl c library (libc) implementation
U:https://musl.libc.org/
L:MIT
o:musl
p:so:libc.musl-x86_64.so.1=1
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1Jk4mSbjIjQO7XkXXVFgbzlDnWDA=
R:libc.musl-x86_64.so.1
a:0:0:777

C:Q1gAoxEoqoHgCbVQSRPzHAcUqnlb0=
P:busybox
V:1.36.1-r5
D:so:libc.musl-x86_64.so.1
F:
R:top
F:bin
M:0:0:1777
R:busybox
F:etc/network/if-up.d
R:dad

"""


def test_packages_and_their_files() -> None:
    owners = owners_of({"lib/apk/db/installed": INSTALLED})
    assert listed(owners) == ["apk musl 1.2.4-r2", "apk busybox 1.36.1-r5"]
    assert named(owners, "lib/ld-musl-x86_64.so.1") == "apk musl 1.2.4-r2"
    assert named(owners, "lib/libc.musl-x86_64.so.1") == "apk musl 1.2.4-r2"
    assert named(owners, "bin/busybox") == "apk busybox 1.36.1-r5"
    assert named(owners, "etc/network/if-up.d/dad") == "apk busybox 1.36.1-r5"
    assert named(owners, "top") == "apk busybox 1.36.1-r5"
    assert named(owners, "bin/other") is None


def test_where_newer_images_have_it() -> None:
    owners = owners_of({"usr/lib/apk/db/installed": INSTALLED}, {"lib": "usr/lib"})
    assert named(owners, "usr/lib/ld-musl-x86_64.so.1") == "apk musl 1.2.4-r2"


def test_what_names_no_package_is_told() -> None:
    owners = owners_of({"lib/apk/db/installed": b"V:1\n\nF:x\nR:y\n"})
    assert owners.packages == []
    assert owners.problems == ("/lib/apk/db/installed: no package in it",)
    assert owners_of({"lib/apk/db/installed": b""}).problems == ()
