"""The next release: one package in a split layer is replaced by another version. How many parts have to be sent?

A package is a directory with about 1 % of the layer's bytes. In the next release a tenth of its files is gone, as many are new,
half of the others have other contents; everything in it has a new time, and so has the directory that it is in, as after an
upgrade on disk; a `NAME-VERSION.dist-info` beside it gets another name. The layer is built again from scratch: uncompressed, and
with gzip -6, where no compressed byte after the change is the same.

A part is sent unless the release before has one with the same diff_id: that is what `fix-and-push` finds at the tag that it
replaces.
"""

import io
import multiprocessing
import os
import random
import stat
import statistics
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import layerkit
from benchmarks.archives import write_docker_archive, write_oci_archive
from benchmarks.contest import Rules
from benchmarks.files import GREATEST_SHARE, gzip_file, installed
from benchmarks.results import Goal, Section
from layerkit.report.sizes import format_size
from layerkit.rewrite.options import MIN_LIMIT

LARGEST = 250_000_000
"""Bytes of the layer's tar at most: it is compressed with gzip -6 once for each release."""
PACKAGES = 8
SHARES = ((0.005, 0.02), (0.0025, 0.04), (0.0005, 0.1))
"""Of the layer's bytes that a package may have; the first pair that enough directories satisfy counts."""
PARTS = (10, 18)
"""Parts that the limits are chosen for; cutting by content makes parts of about FILLED of the limit."""
FILLED = 0.8
MOST_SENT = 2
LEAST_PARTS = 8
UPGRADED = 1_790_000_000
"""Time of what is new, in seconds since 1970."""

FORMS = ("gzip -6", "uncompressed")


class Package(NamedTuple):
    path: str
    """Absolute."""
    size: int


class Part(NamedTuple):
    diff_id: str
    digest: str
    size: int


class Job(NamedTuple):
    """One release to be built and split."""

    folder: Path
    paths: Sequence[str]
    package: str | None
    """None: the first release."""
    limits: Sequence[int]
    """Bytes; none: those that PARTS asks for."""


Splits = dict[tuple[str, int], list[Part]]
"""By form and limit."""


def section(raw_size: int, rules: Rules) -> Section:
    """`raw_size`: bytes of the layer's tar."""
    folder = rules.work / "next-release"
    folder.mkdir(exist_ok=True)
    paths, sizes = _chosen(min(raw_size, LARGEST))
    packages = _packages(paths, sizes)
    if len(packages) < PACKAGES // 2:
        raise RuntimeError(f"expected {PACKAGES} directories of about 1 % of the layer, found {len(packages)}")
    rules.say(f"next release: {len(paths):,} files and directories, {format_size(sum(sizes))}")
    workers = min(len(os.sched_getaffinity(0)), PACKAGES)
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        first = pool.submit(_release, Job(folder, paths, None, ())).result()
        limits = sorted({limit for _, limit in first}, reverse=True)
        jobs = [Job(folder, paths, package.path, limits) for package in packages]
        releases: list[Splits] = []
        for package, release in zip(packages, pool.map(_release, jobs), strict=True):
            sent = ", ".join(str(len(_sent(first[key], release[key]))) for key in sorted(release))
            rules.say(f"next release: {package.path}, {format_size(package.size)}: parts sent: {sent}")
            releases.append(release)
    return _section(sum(sizes), packages, first, releases)


def _section(total: int, packages: Sequence[Package], first: Splits, releases: Sequence[Splits]) -> Section:
    shares = ", ".join(f"{100 * package.size / total:.1f} %" for package in packages)
    section = Section(
        "next-release",
        "Pushing the next release",
        f"A layer of {format_size(total)} of installed files; in each of {len(packages)} releases another directory "
        f"({shares} of the bytes) is replaced by another version. A part is sent when its diff_id is new.",
        ["layer", "limit", "parts", "parts sent: median", "most", "bytes sent: median", "most", "parts with a new digest: most"],
        data=[],
    )
    for key in sorted(first, key=lambda key: (key[0], -key[1])):
        form, limit = key
        sent = [_sent(first[key], release[key]) for release in releases]
        digests = {part.digest for part in first[key]}
        counts = [len(parts) for parts in sent]
        amounts = [sum(part.size for part in parts) for parts in sent]
        renamed = [sum(part.digest not in digests for part in release[key]) for release in releases]
        section.rows.append(
            [
                form,
                format_size(limit),
                str(len(first[key])),
                f"{statistics.median(counts):g}",
                str(max(counts)),
                format_size(statistics.median(amounts)),
                format_size(max(amounts)),
                str(max(renamed)),
            ]
        )
        enough = len(first[key]) >= LEAST_PARTS
        section.goals.append(
            Goal(
                f"next release, {form}, split at {format_size(limit)}: parts sent",
                f"≤ {MOST_SENT} of ≥ {LEAST_PARTS}",
                f"{max(counts)} of {len(first[key])} (median {statistics.median(counts):g})",
                max(counts) <= MOST_SENT if enough else None,
            )
        )
        section.data.append(
            {
                "form": form,
                "limit": limit,
                "parts": len(first[key]),
                "size": sum(part.size for part in first[key]),
                "releases": [
                    {
                        "package": package.path,
                        "package_size": package.size,
                        "sent": count,
                        "bytes_sent": amount,
                        "new_digests": new,
                    }
                    for package, count, amount, new in zip(packages, counts, amounts, renamed, strict=True)
                ],
            }
        )
    return section


def _sent(before: Sequence[Part], after: Sequence[Part]) -> list[Part]:
    known = {part.diff_id for part in before}
    return [part for part in after if part.diff_id not in known]


def _chosen(size: int) -> tuple[list[str], list[int]]:
    """Installed files up to `size` bytes, and what each adds to a layer."""
    paths: list[str] = []
    sizes: list[int] = []
    total = 0
    for path in installed():
        if total >= size:
            break
        found = path.lstat()
        length = found.st_size if stat.S_ISREG(found.st_mode) else 0
        if length > size // GREATEST_SHARE or not os.access(path, os.R_OK, follow_symlinks=False):
            continue
        paths.append(str(path))
        sizes.append(length + 512)
        total += sizes[-1]
    return paths, sizes


def _packages(paths: Sequence[str], sizes: Sequence[int]) -> list[Package]:
    """Eight directories, none in another, spread over the layer."""
    below: dict[str, int] = {}
    for path, size in zip(paths, sizes, strict=True):
        for parent in Path(path).parents:
            below[str(parent)] = below.get(str(parent), 0) + size
    total = sum(sizes)
    found: list[Package] = []
    for least, most in SHARES:
        found = []
        for path in paths:  # outer directories come first
            size = below.get(path, 0)
            inside = found and path.startswith(found[-1].path + "/")
            if total * least <= size <= total * most and not inside and Path(path).is_dir():
                found.append(Package(path, size))
        if len(found) >= PACKAGES:
            break
    return [found[index * len(found) // PACKAGES] for index in range(PACKAGES)] if len(found) >= PACKAGES else found


def _release(job: Job) -> Splits:
    """Builds a release in both forms and splits it at each limit. Runs in a process of its own; leaves nothing behind."""
    name = f"{zlib.crc32((job.package or '').encode()):08x}"
    raw, layer, oci, docker = (job.folder / f"{name}.{end}" for end in ("tar", "tar.gz", "oci.tar", "docker.tar"))
    try:
        with tarfile.open(raw, "w", format=tarfile.GNU_FORMAT) as archive:
            for member, data in _members(job.paths, job.package):
                archive.addfile(member, io.BytesIO(data))
        gzip_file(raw, layer)
        write_oci_archive(layer, write_docker_archive(layer, docker).diff_id, oci)
        limits = job.limits or [max(int(layer.stat().st_size / (FILLED * count)), MIN_LIMIT) for count in PARTS]
        images = dict(zip(FORMS, (oci, docker), strict=True))
        return {(form, limit): _split(images[form], limit) for form in FORMS for limit in limits}
    finally:
        for path in (raw, layer, oci, docker):
            path.unlink(missing_ok=True)


def _split(archive: Path, limit: int) -> list[Part]:
    fixed = layerkit.fix(layerkit.open_image(archive), max_layer_size=limit, verify=False, jobs=1)
    (found,) = fixed.platforms()
    layers, diff_ids = found.manifest.layers, found.config.diff_ids
    return [Part(diff_id, layer.digest, layer.size) for layer, diff_id in zip(layers, diff_ids, strict=True)]


def _members(paths: Sequence[str], package: str | None) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """The release's members; `package` is what is replaced in it."""
    archive = tarfile.TarFile(fileobj=io.BytesIO(), mode="w", format=tarfile.GNU_FORMAT)
    parent = str(Path(package).parent) if package else ""
    info = _dist_info(paths, package) if package else ""
    for path in paths:
        member = archive.gettarinfo(path, path.lstrip("/"))
        member.mtime = int(member.mtime)
        data = Path(path).read_bytes() if member.isreg() else b""
        if path == parent:
            member.mtime = UPGRADED
        elif package and (path == package or path.startswith(package + "/")):
            yield from _upgraded(member, data)
            continue
        elif info and (path == info or path.startswith(info + "/")):
            member.name = path.replace(info, _renamed(info), 1).lstrip("/")
            member.mtime = UPGRADED
        yield member, data


def _upgraded(member: tarfile.TarInfo, data: bytes) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """What becomes of one member of the package: nothing, itself, another version of it, or that and a new one."""
    member.mtime = UPGRADED
    fate = zlib.crc32(member.name.encode()) % 10
    if not member.isreg():
        yield member, data
        return
    if fate == 0:
        return
    if fate % 2:
        data = _other_version(data, fate)
        member.size = len(data)
    yield member, data
    if fate == 1:
        stem, dot, suffix = member.name.rpartition(".")
        new = tarfile.TarInfo(f"{stem}_new{dot}{suffix}" if stem else f"{member.name}_new")
        new.mtime, new.mode, new.size = UPGRADED, member.mode, len(data)
        yield new, data[::-1]


def _other_version(data: bytes, seed: int) -> bytes:
    """Most lines stay, some move, some are new."""
    chance = random.Random(f"{seed} {len(data)}")
    middle = chance.randrange(len(data) + 1)
    new = b"version = %d\n" % chance.randrange(1000)
    return new + data[middle:] + data[: middle * 9 // 10] + chance.randbytes(len(data) // 20)


def _dist_info(paths: Sequence[str], package: str) -> str:
    """The metadata directory beside a package, if it has one."""
    for path in paths:
        if path.startswith(f"{package}-") and path.endswith(".dist-info"):
            return path
    return ""


def _renamed(info: str) -> str:
    return f"{info.removesuffix('.dist-info').rpartition('-')[0]}-99.0.dist-info"
