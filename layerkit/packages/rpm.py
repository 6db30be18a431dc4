"""rpm's packages. In: its database, in one of three forms. Out: what is installed, and what each package owns."""

from collections.abc import Callable, Iterator

from layerkit.packages import rpm_berkeley, rpm_ndb, rpm_sqlite
from layerkit.packages.package import Files, Installed, Problem
from layerkit.packages.rpm_database import DatabaseError
from layerkit.packages.rpm_header import read_header
from layerkit.packages.wanted import RPM, RPM_DATABASES, RPM_LOG

_HEADERS: dict[bytes, Callable[[bytes], Iterator[bytes]]] = dict(
    zip(RPM_DATABASES, (rpm_sqlite.headers, rpm_ndb.headers, rpm_berkeley.headers), strict=True)
)


def read(files: Files, problem: Problem) -> Iterator[Installed]:
    """Of the first database that holds a package: an image that was upgraded may have an older one too."""
    for folder in RPM:
        for name in RPM_DATABASES:
            path = folder + name
            if path in files:
                found = False
                for installed in _read(files[path], path, _HEADERS[name], problem):
                    found = True
                    yield installed
                if found:
                    if name == RPM_DATABASES[0] and files.get(folder + RPM_LOG):
                        problem(folder + RPM_LOG, "what is in it isn't read: packages that were changed last may be missing")
                    return


def _read(data: bytes, path: bytes, headers: Callable[[bytes], Iterator[bytes]], problem: Problem) -> Iterator[Installed]:
    unread = count = 0
    try:
        for blob in headers(data):
            header = read_header(blob)
            count += 1
            if header is None:
                unread += 1
            else:
                yield Installed("rpm", header.name, header.version, path, header.paths)
    except DatabaseError as error:
        problem(path, str(error))
    else:
        if not count:
            problem(path, "there is no package in it")
    if unread:
        problem(path, f"{unread:,} packages whose headers can't be read")
