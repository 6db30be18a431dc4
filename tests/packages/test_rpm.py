"""rpm's packages: databases made here, and such as rpm and Berkeley DB write them."""

import os
import shutil
import sqlite3
import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.packages.roots import listed, named, owners_of, read_root
from tests.packages.rpm_building import INT32, STRING, STRINGS, berkeley, header, ndb, packed, sqlite

FORMS: dict[str, Callable[[Sequence[bytes]], bytes]] = {
    "usr/lib/sysimage/rpm/rpmdb.sqlite": sqlite,
    "var/lib/rpm/Packages.db": ndb,
    "var/lib/rpm/Packages": berkeley,
}
MANY = [f"/usr/share/many/{number:03}" for number in range(200)]


@pytest.mark.parametrize("path", FORMS)
def test_each_form(path: str) -> None:
    headers = [
        header("bash", "5.1.8", "6.el9", paths=["/usr/bin/bash", "/etc/skel/.bashrc"]),
        header("openssl-libs", "3.0.7", "27.el9", epoch=1, paths=["/usr/lib64/libssl.so.3"]),
        header("many", paths=MANY),
        header("gpg-pubkey", "8483c65d", "5ccc5b19"),
    ]
    owners = owners_of({path: FORMS[path](headers)})
    assert owners.problems == ()
    assert listed(owners) == [
        "rpm bash 5.1.8-6.el9",
        "rpm openssl-libs 1:3.0.7-27.el9",
        "rpm many 1-2",
        "rpm gpg-pubkey 8483c65d-5ccc5b19",
    ]
    assert named(owners, "usr/bin/bash") == "rpm bash 5.1.8-6.el9"
    assert named(owners, "etc/skel/.bashrc") == "rpm bash 5.1.8-6.el9"
    assert named(owners, "usr/lib64/libssl.so.3") == "rpm openssl-libs 1:3.0.7-27.el9"
    assert {named(owners, file[1:]) for file in MANY} == {"rpm many 1-2"}
    assert named(owners, "usr/bin/sh") is None


def test_berkeley_db_of_the_other_byte_order() -> None:
    owners = owners_of({"var/lib/rpm/Packages": berkeley([header("many", paths=MANY)], ">", 1024)})
    assert (owners.problems, named(owners, "usr/share/many/199")) == ((), "rpm many 1-2")


def test_headers_of_old_packages_list_whole_paths() -> None:
    old = packed([(1000, STRING, 1, b"old\0"), (1001, STRING, 1, b"1\0"), (1027, STRINGS, 2, b"/a/b\0/a/c\0")])
    owners = owners_of({"var/lib/rpm/rpmdb.sqlite": sqlite([old])})
    assert named(owners, "a/c") == "rpm old 1"


def test_the_newest_database_counts() -> None:
    """An upgrade of rpm may leave the one before."""
    files = {"var/lib/rpm/rpmdb.sqlite": sqlite([header("new")]), "var/lib/rpm/Packages": berkeley([header("old")])}
    assert listed(owners_of(files)) == ["rpm new 1-2"]
    damaged = owners_of(files | {"var/lib/rpm/rpmdb.sqlite": b"SQLite format 3\0" + bytes(100)})
    assert listed(damaged) == ["rpm old 1-2"]
    assert len(damaged.problems) == 1


def test_a_log_that_isnt_in_the_database_is_told() -> None:
    files = {"var/lib/rpm/rpmdb.sqlite": sqlite([header("new")]), "var/lib/rpm/rpmdb.sqlite-wal": b"x"}
    (problem,) = owners_of(files).problems
    assert problem.startswith("/var/lib/rpm/rpmdb.sqlite-wal: ")
    assert owners_of(files | {"var/lib/rpm/rpmdb.sqlite-wal": b""}).problems == ()


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE Real (blob); INSERT INTO Real VALUES (x'00'); CREATE VIEW Packages AS SELECT blob FROM Real",
        "CREATE VIEW Packages AS WITH RECURSIVE r(blob) AS (SELECT 1 UNION ALL SELECT blob + 1 FROM r) SELECT blob FROM r",
        "CREATE TABLE Packages (a, blob AS (zeroblob(1 << 29))); INSERT INTO Packages VALUES (1)",
        "CREATE VIRTUAL TABLE Packages USING fts5(blob)",
        "CREATE TABLE Other (blob)",
        f"CREATE TABLE Packages (blob); CREATE TABLE Wide ({', '.join(f'c{number}' for number in range(100))})",
    ],
)
def test_sqlite_reads_rows_of_a_table_and_does_nothing_else(script: str) -> None:
    try:
        data = sqlite([], script)
    except sqlite3.OperationalError as error:
        pytest.skip(str(error))
    owners = owners_of({"var/lib/rpm/rpmdb.sqlite": data})
    assert owners.packages == []
    assert len(owners.problems) == 1


def test_sqlite_learns_of_a_bounded_number_of_tables() -> None:
    tables = "; ".join(f"CREATE TABLE t{number} (a)" for number in range(5000))
    owners = owners_of({"var/lib/rpm/rpmdb.sqlite": sqlite([], f"BEGIN; CREATE TABLE Packages (blob); {tables}; COMMIT")})
    assert owners.problems == ("/var/lib/rpm/rpmdb.sqlite: SQLite can't read it: interrupted",)


def test_sqlite_takes_a_bounded_number_of_steps() -> None:
    empty = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 500000) INSERT INTO Packages SELECT NULL FROM r"
    owners = owners_of({"var/lib/rpm/rpmdb.sqlite": sqlite([], f"CREATE TABLE Packages (blob); {empty}")})
    assert owners.packages == []
    assert len(owners.problems) == 1


def test_chains_of_pages_that_meet_are_refused() -> None:
    """Many values, all of them the same long chain: more than the file can hold."""
    data = bytearray(berkeley([b"x" * 40_000, *(header(f"p{number}", paths=MANY[:3]) for number in range(15))]))
    first = data[512:1024].find(b"\x03\0\0\0")
    for at in range(26, 512 - 12):
        if data[512 + at : 512 + at + 4] == b"\x03\0\0\0" and at != first:
            struct.pack_into("<II", data, 512 + at + 4, 2, 40_000)
    (problem, *_) = owners_of({"var/lib/rpm/Packages": bytes(data)}).problems
    assert "overlap" in problem


def test_a_chain_that_leads_to_itself_ends() -> None:
    data = bytearray(berkeley([header("many", paths=MANY)]))
    struct.pack_into("<I", data, 2 * 512 + 16, 2)
    owners = owners_of({"var/lib/rpm/Packages": bytes(data)})
    assert owners.packages == []
    assert len(owners.problems) == 1


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("kept", [0, 0.001, 0.1, 0.5, 0.9])
def test_what_is_cut_off_is_told(path: str, kept: float) -> None:
    headers = [header("small"), header("many", paths=MANY)]
    whole = FORMS[path](headers)
    owners = owners_of({path: whole[: int(kept * len(whole))]})
    assert owners.problems or len(owners.packages) == 2
    assert kept > 0.5 or "rpm many 1-2" not in listed(owners)


def test_numbers_of_folders_that_arent_there() -> None:
    entries = [(1000, STRING, 1, b"odd\0"), (1116, INT32, 2, struct.pack(">II", 7, 0)), (1117, STRINGS, 2, b"a\0b\0")]
    owners = owners_of({"var/lib/rpm/Packages.db": ndb([packed([*entries, (1118, STRINGS, 1, b"/x/\0")])])})
    assert (listed(owners), named(owners, "x/b"), named(owners, "x/a")) == (["rpm odd "], "rpm odd ", None)


SPEC = """
Name: {name}
Version: 1.{epoch}
Release: 3
Epoch: {epoch}
Summary: A test
License: MIT
BuildArch: noarch
%description
A test
%install
mkdir -p %{{buildroot}}/usr/share/{name}/deep %{{buildroot}}/etc
for number in $(seq {files}); do echo $number > "%{{buildroot}}/usr/share/{name}/deep/file $number"; done
echo > %{{buildroot}}/etc/{name}.conf
%files
/usr/share/{name}
/etc/{name}.conf
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with three packages, built and installed by rpm."""
    top = tmp_path_factory.mktemp("rpm")
    for epoch, (name, files) in enumerate([("tiny", 1), ("other", 5), ("large", 3000)]):
        (top / f"{name}.spec").write_text(SPEC.format(name=name, epoch=epoch, files=files))
        _run("rpmbuild", "-bb", "--define", f"_topdir {top}", str(top / f"{name}.spec"))
    packages = [str(path) for path in top.rglob("*.rpm")]
    assert len(packages) == 3
    _run("rpm", *_in(top / "root"), "--nodeps", "-i", *packages)
    return top / "root"


needs_rpm = pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="rpmbuild is not installed (Debian: apt install rpm)")
needs_db = pytest.mark.skipif(shutil.which("db5.3_load") is None, reason="db5.3_load is not installed (Debian: db5.3-util)")


@pytest.mark.real
@needs_rpm
def test_what_rpm_installed(installed: Path) -> None:
    root = read_root(installed)
    assert b"var/lib/rpm/rpmdb.sqlite" in root.files
    owners = root.owners()
    assert owners.problems == ()
    theirs = _run("rpm", *_in(installed), "-qa", "--qf", "rpm %{NAME} %|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\n").splitlines()
    assert sorted(listed(owners)) == sorted(theirs)
    looked_at = 0
    for path in root.paths:
        if not path.startswith(b"var/lib/rpm/"):
            looked_at += 1
            asked = _run("rpm", *_in(installed), "-qf", "--qf", "%{NAME}", f"/{os.fsdecode(path)}") if looked_at < 20 else None
            number = owners.owner(path)
            assert number is not None, path
            assert asked is None or owners.packages[number].name == asked
    assert looked_at == 3009


@pytest.mark.real
@needs_rpm
@needs_db
@pytest.mark.parametrize("size", [512, 4096, 65536])
def test_what_berkeley_db_holds(installed: Path, tmp_path: Path, size: int) -> None:
    """Written by Berkeley DB itself, and read by rpm beside it. Each header also as twenty packages, so that the table grows."""
    with sqlite3.connect(installed / "var/lib/rpm/rpmdb.sqlite") as database:
        blobs = [blob for (blob,) in database.execute("SELECT blob FROM Packages")] * 20
    database.close()
    lines = [f"VERSION=3\nformat=bytevalue\ntype=hash\ndb_pagesize={size}\nHEADER=END", f" 00000000\n {len(blobs) + 1:08x}"]
    lines += [f" {struct.pack('<I', number).hex()}\n {blob.hex()}" for number, blob in enumerate(blobs, start=1)]
    folder = tmp_path / "var/lib/rpm"
    folder.mkdir(parents=True)
    (tmp_path / "dump").write_text("\n".join([*lines, "DATA=END\n"]))
    _run("db5.3_load", "-f", str(tmp_path / "dump"), str(folder / "Packages"))

    root = read_root(tmp_path)
    owners = root.owners()
    assert owners.problems == ()
    theirs = _run("rpm", *_in(tmp_path), "--define", "_db_backend bdb_ro", "-qa", "--qf", "%{NAME}\n").splitlines()
    assert sorted(package.name for package in owners.packages) == sorted(theirs)
    assert len(theirs) == 60
    assert named(owners, "usr/share/large/deep/file 3000") == "rpm large 2:1.2-3"


def _in(root: Path) -> list[str]:
    return ["--root", str(root), "--define", "_dbpath /var/lib/rpm"]


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, timeout=120, text=True).stdout
