"""An image that isn't there, as a page sees it: five layers of a machine-learning service with 40,000 files, their costs made up.

`python -m tests.report.page.sample FOLDER` writes pages to look at.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from layerkit.advice import Advice
from layerkit.costs.contents import (
    Contents,
    DuplicateFound,
    FileFound,
    GroupFound,
    LayerFound,
    Node,
    PackageFound,
    PermissionFound,
    RewrittenFound,
    WastedFound,
)
from layerkit.image.digest import Digest, sha256
from layerkit.image.media_types import Compression
from layerkit.report.findings import Finding
from layerkit.report.page import PlatformPage, image_page
from layerkit.report.planned import Planned, PlannedLayer
from layerkit.report.summary import ImageSummary, LayerSummary, PlatformSummary

LIMIT = 1_000_000_000
LEAST = 0.00002
"""Of a tree: what costs less is drawn together."""

SITE = "usr/local/lib/python3.11/site-packages"
COMMANDS = (
    "COPY --from=base / /",
    "RUN apt-get update && apt-get install -y --no-install-recommends build-essential git curl libgl1 libglib2.0-0",
    "RUN pip install torch==2.3.0 torchvision transformers pandas scipy scikit-learn && python -m compileall /usr/local/lib",
    "COPY --chown=app:app . /srv/app",
    "RUN chown -R app:app /srv/app/models && rm -rf /srv/app/.git",
)

_LARGE = (
    (3, f"{SITE}/torch/lib/libtorch_cuda.so", 1_560_000_000, 0.47),
    (3, f"{SITE}/torch/lib/libtorch_cpu.so", 498_000_000, 0.36),
    (3, f"{SITE}/nvidia/cudnn/lib/libcudnn_engines_precompiled.so.9", 570_000_000, 0.74),
    (3, f"{SITE}/nvidia/cublas/lib/libcublasLt.so.12", 515_000_000, 0.62),
    (3, f"{SITE}/nvidia/cublas/lib/libcublas.so.12", 109_000_000, 0.53),
    (3, f"{SITE}/nvidia/cufft/lib/libcufft.so.11", 187_000_000, 0.66),
    (3, f"{SITE}/nvidia/cusparse/lib/libcusparse.so.12", 273_000_000, 0.58),
    (3, f"{SITE}/nvidia/cusolver/lib/libcusolver.so.11", 116_000_000, 0.51),
    (3, f"{SITE}/nvidia/nccl/lib/libnccl.so.2", 221_000_000, 0.63),
    (3, f"{SITE}/triton/backends/nvidia/bin/ptxas", 28_000_000, 0.38),
    (3, f"{SITE}/triton/_C/libtriton.so", 401_000_000, 0.27),
    (3, f"{SITE}/torch/lib/libtorch_python.so", 28_000_000, 0.3),
    (2, "usr/lib/gcc/x86_64-linux-gnu/12/cc1plus", 33_000_000, 0.34),
    (2, "usr/lib/gcc/x86_64-linux-gnu/12/lto1", 31_000_000, 0.34),
    (2, "usr/lib/x86_64-linux-gnu/libLLVM-15.so.1", 114_000_000, 0.31),
    (2, "usr/lib/x86_64-linux-gnu/libstdc++.a", 5_200_000, 0.28),
    (2, "var/lib/apt/lists/deb.debian.org_debian_dists_bookworm_main_binary-amd64_Packages.lz4", 18_400_000, 0.96),
    (4, "srv/app/models/encoder.safetensors", 438_000_000, 0.92),
    (4, "srv/app/models/reranker.onnx", 90_000_000, 0.91),
    (4, "srv/app/.git/objects/pack/pack-9f2b1c7d.pack", 61_000_000, 0.99),
    (5, "srv/app/models/encoder.safetensors", 438_000_000, 0.92),
    (5, "srv/app/models/reranker.onnx", 90_000_000, 0.91),
    (1, "usr/lib/x86_64-linux-gnu/libicudata.so.72", 31_000_000, 0.36),
    (1, "usr/bin/python3.11", 6_800_000, 0.38),
    (1, "usr/lib/locale/C.utf8/LC_COLLATE", 1_400_000, 0.2),
)

_SMALL = (
    # layer, folder, files, mean size, suffixes
    (1, "usr/lib/x86_64-linux-gnu", 900, 90_000, (".so.6", ".so.1", ".so.0")),
    (1, "usr/lib/x86_64-linux-gnu/gconv", 250, 22_000, (".so",)),
    (1, "usr/share/locale", 1_600, 14_000, (".mo",)),
    (1, "usr/share/doc", 1_900, 4_000, (".gz", "", ".md")),
    (1, "usr/bin", 620, 70_000, ("",)),
    (1, "usr/lib/python3.11", 1_300, 18_000, (".py", ".pyc")),
    (2, "usr/include", 3_100, 9_000, (".h", ".hpp")),
    (2, "usr/lib/gcc/x86_64-linux-gnu/12", 240, 120_000, (".a", ".o", ".h")),
    (2, "usr/share/perl/5.36", 900, 11_000, (".pm", ".pl")),
    (2, "usr/lib/git-core", 160, 50_000, ("",)),
    (2, "var/cache/apt/archives", 40, 410_000, (".deb",)),
    (3, f"{SITE}/torch/include", 8_200, 6_500, (".h", ".hpp")),
    (3, f"{SITE}/torch/_inductor", 520, 30_000, (".py", ".pyc")),
    (3, f"{SITE}/torch/testing", 260, 60_000, (".py", ".pyc")),
    (3, f"{SITE}/transformers/models", 4_100, 21_000, (".py", ".pyc")),
    (3, f"{SITE}/pandas/tests", 1_900, 17_000, (".py", ".pyc")),
    (3, f"{SITE}/pandas/_libs", 90, 900_000, (".so", ".pyx")),
    (3, f"{SITE}/scipy", 2_300, 38_000, (".py", ".pyc", ".so")),
    (3, f"{SITE}/scipy.libs", 6, 9_000_000, (".so.0",)),
    (3, f"{SITE}/sklearn", 1_500, 29_000, (".py", ".pyc", ".so")),
    (3, f"{SITE}/numpy", 1_300, 31_000, (".py", ".pyc", ".so")),
    (3, f"{SITE}/nvidia/cuda_runtime/include", 400, 42_000, (".h",)),
    (3, "root/.cache/pip/http-v2", 180, 600_000, (".body",)),
    (4, "srv/app/static", 900, 26_000, (".js", ".css", ".woff2", ".png")),
    (4, "srv/app/node_modules", 5_600, 8_000, (".js", ".ts", ".map", ".json")),
    (4, "srv/app/service", 240, 7_000, (".py",)),
    (4, "srv/app/.git/objects", 400, 9_000, ("",)),
)
_RATIOS = {".py": 0.27, ".pyc": 0.45, ".h": 0.22, ".hpp": 0.2, ".mo": 0.36, ".js": 0.28, ".deb": 1.0, ".png": 0.99, ".so": 0.36}


class File(NamedTuple):
    layer: int
    path: str
    size: int
    cost: int


def files() -> Iterator[File]:
    drawn = random.Random(7)
    for layer, path, size, ratio in _LARGE:
        yield File(layer, path, size, int(size * ratio))
    for layer, folder, count, mean, suffixes in _SMALL:
        for number in range(count):
            size = int(drawn.lognormvariate(0, 1.1) * mean)
            suffix = suffixes[number % len(suffixes)]
            name = f"{drawn.choice(_WORDS)}_{number}{suffix}"
            inner = drawn.choice(_WORDS[:6]) if count > 200 else ""
            path = "/".join(part for part in (folder, inner, name) if part)
            yield File(layer, path, size, int(size * _RATIOS.get(suffix, 0.4)) + 90)


_WORDS = ("core", "utils", "ops", "native", "common", "data", "backend", "kernels", "graph", "config", "client", "model", "types")


def tree(found: Sequence[File]) -> Node:
    """Of one layer's files."""
    root: dict[str, object] = {}
    for file in found:
        *folders, name = file.path.split("/")
        at = root
        for folder in folders:
            at = at.setdefault(folder, {})  # type: ignore[assignment]
        at[name] = file
    return _node("", root, LEAST * sum(file.cost for file in found))


def _node(name: str, value: object, least: float) -> Node:
    if isinstance(value, File):
        return Node(name, 1, value.size, value.cost)
    assert isinstance(value, dict)
    children = sorted((_node(one, inside, least) for one, inside in value.items()), key=lambda node: -node.cost)
    shown = [node for node in children if node.cost >= least]
    rest = [node for node in children if node.cost < least]
    if rest:
        shown.append(Node("…", sum(n.files for n in rest), sum(n.size for n in rest), sum(n.cost for n in rest)))
    return Node(name, sum(n.files for n in children), sum(n.size for n in children), sum(n.cost for n in children), tuple(shown))


def layer_summary(number: int, size: int, command: str, *, limit: int = LIMIT, digest: Digest | None = None) -> LayerSummary:
    return LayerSummary(
        number=number,
        digest=digest or sha256(f"layer {number}".encode()),
        diff_id=None,
        size=size,
        media_type="application/vnd.oci.image.layer.v1.tar+gzip",
        compression=Compression.GZIP,
        created_by=command,
        present=True,
        exceeds=size > limit,
    )


def platform_summary(name: str, layers: Sequence[LayerSummary]) -> PlatformSummary:
    return PlatformSummary(
        platform=name,
        digest=sha256(name.encode("utf-8", "replace")),
        media_type="application/vnd.oci.image.manifest.v1+json",
        config=sha256(b"config"),
        size=sum(layer.size for layer in layers),
        layers=tuple(layers),
    )


def image_summary(name: str, platforms: Sequence[PlatformSummary], limit: int = LIMIT) -> ImageSummary:
    return ImageSummary(
        name=name,
        kind="OCI archive",
        reference=None,
        names=("registry.example.com/search/ranker:2.4.1",),
        digest=sha256(name.encode("utf-8", "replace")),
        media_type="application/vnd.oci.image.index.v1+json",
        limit=limit,
        platforms=tuple(platforms),
        referrers=(),
        absent=(),
        artifacts=(),
    )


def ranker(*, estimated: bool = False) -> tuple[ImageSummary, list[PlatformPage], list[Finding]]:
    """The image with all that can be known of it. `estimated`: as a classic archive has it, with uncompressed layers."""
    found = sorted(files(), key=lambda file: -file.cost)
    by_layer = {number: [file for file in found if file.layer == number] for number in range(1, len(COMMANDS) + 1)}
    costs = {number: int(sum(file.cost for file in inside) * 1.001) for number, inside in by_layer.items()}
    raw = {number: sum(file.size + 1024 for file in inside) for number, inside in by_layer.items()}
    layers = [layer_summary(n, raw[n] if estimated else costs[n], command) for n, command in enumerate(COMMANDS, 1)]
    summary = image_summary("ranker.tar", [platform_summary("linux/amd64", layers)])
    details = tuple(
        LayerFound(
            one.number,
            one.digest,
            one.size,
            costs[one.number],
            estimated,
            raw[one.number],
            len(by_layer[one.number]),
            sum(file.cost for file in by_layer[one.number]),
            one.command,
        )
        for one in layers
    )
    page = PlatformPage(
        _contents(found, details),
        {number: tree(inside) for number, inside in by_layer.items()},
        advice(by_layer),
        planned(costs),
    )
    return summary, [page], findings(layers)


def _contents(found: list[File], layers: tuple[LayerFound, ...]) -> Contents:
    lost = [file for file in found if file.layer == 4 and ("models" in file.path or ".git" in file.path)]
    hidden = set(lost)
    seen = [file for file in found if file not in hidden]
    whole = sum(layer.cost for layer in layers)
    packages = _packages(seen)
    return Contents(
        platform="linux/amd64",
        layers=layers,
        cost=whole,
        files=len(seen),
        size=sum(file.size for file in seen),
        files_cost=sum(file.cost for file in seen),
        largest=tuple(FileFound(f"/{file.path}", file.size, file.cost, file.layer) for file in seen[:20]),
        directories=_groups(seen, _folder)[:20],
        types=_groups(seen, _type)[:12],
        suffixes=_groups(seen, _suffix)[:14],
        packages=packages[:20],
        package_count=len(packages),
        packaged_cost=sum(package.cost for package in packages),
        wasted_size=sum(file.size for file in lost),
        wasted_cost=sum(file.cost for file in lost),
        wasted=tuple(WastedFound(f"/{file.path}", file.size, file.cost, 4, 5) for file in lost[:14]),
        wasted_between=(),
        rewritten=(RewrittenFound(5, 4, 2, 528_000_000, 484_860_000),),
        duplicated_size=240_000_000,
        duplicated_cost=61_000_000,
        duplicates=(
            DuplicateFound(
                (f"/{SITE}/numpy.libs/libopenblas64_p.so", f"/{SITE}/scipy.libs/libopenblas64_p.so"), 2, 36_000_000, 11_200_000
            ),
            DuplicateFound(
                ("/srv/app/node_modules/esbuild/bin/esbuild", "/srv/app/node_modules/vite/bin/esbuild"), 3, 19_000_000, 8_100_000
            ),
            DuplicateFound((f"/{SITE}/torch/bin/protoc", f"/{SITE}/torch/bin/protoc-3.13.0.0"), 2, 5_300_000, 2_000_000),
        ),
        privileged=tuple(
            PermissionFound(f"/usr/bin/{name}", 0o4755, 1)
            for name in ("chfn", "chsh", "gpasswd", "mount", "newgrp", "passwd", "su")
        ),
        writable=(PermissionFound("/srv/app/uploads", 0o777, 4), PermissionFound("/srv/app/run.sh", 0o666, 4)),
        privileged_count=7,
        writable_count=2,
    )


def _folder(file: File) -> str:
    parts = file.path.split("/")
    return "/" + "/".join(parts[: min(len(parts) - 1, 6)])


def _suffix(file: File) -> str:
    return ".so" if ".so." in file.path else Path(file.path).suffix or "no suffix"


def _type(file: File) -> str:
    suffix = Path(file.path).suffix
    names = {".py": "Python source", ".pyc": "Python bytecode", ".h": "C header", ".js": "JavaScript", ".deb": "Debian package"}
    return names.get(suffix, "ELF shared object, x86-64" if ".so" in file.path else "data")


def _groups(found: Sequence[File], key: Callable[[File], str]) -> tuple[GroupFound, ...]:
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    costs: Counter[str] = Counter()
    for file in found:
        name = key(file)
        counts[name] += 1
        sizes[name] += file.size
        costs[name] += file.cost
    return tuple(GroupFound(name, counts[name], sizes[name], cost) for name, cost in costs.most_common())


def _packages(found: Sequence[File]) -> tuple[PackageFound, ...]:
    inside = [file for file in found if file.path.startswith(f"{SITE}/")]
    groups = _groups(inside, lambda file: file.path.removeprefix(f"{SITE}/").split("/")[0].partition(".")[0])
    python = [PackageFound("python", one.name, "2.3.0", one.files, one.size, one.cost) for one in groups]
    deb = [
        PackageFound("deb", "g++-12", "12.2.0-14", 32, 66_000_000, 22_100_000),
        PackageFound("deb", "git", "1:2.39.5", 611, 46_000_000, 9_800_000),
    ]
    return tuple(sorted([*python, *deb], key=lambda package: -package.cost))


def advice(by_layer: dict[int, list[File]]) -> tuple[Advice, ...]:
    def gain(layer: int, part: str) -> int:
        return sum(file.cost for file in by_layer[layer] if part in file.path)

    return (
        Advice(
            "chown",
            "A chown copies 2 files that another layer holds already",
            gain(4, "models"),
            5,
            COMMANDS[4],
            "Give the owner where the files are copied: `COPY --chown=app:app . /srv/app`, and leave the `RUN chown` out.",
            ("/srv/app/models/encoder.safetensors", "/srv/app/models/reranker.onnx"),
        ),
        Advice(
            "pip-cache",
            "pip's cache was left behind",
            gain(3, ".cache/pip"),
            3,
            COMMANDS[2],
            "Add `--no-cache-dir` to `pip install`, or mount the cache: `RUN --mount=type=cache,target=/root/.cache/pip …`",
            ("/root/.cache/pip/http-v2",),
        ),
        Advice(
            "git",
            "A Git repository is pushed",
            gain(4, ".git"),
            4,
            COMMANDS[3],
            "Add `.git` to .dockerignore. Deleting it in a later step doesn't help: it is in the layer below.",
            ("/srv/app/.git/objects/pack/pack-9f2b1c7d.pack",),
        ),
        Advice(
            "apt-lists",
            "apt's package lists were left behind",
            gain(2, "apt"),
            2,
            COMMANDS[1],
            "End the step with `&& rm -rf /var/lib/apt/lists/*`",
            ("/var/lib/apt/lists", "/var/cache/apt/archives"),
        ),
        Advice(
            "zstd",
            "The target takes zstd, which is smaller than gzip",
            0,
            None,
            "",
            "`--compression zstd` for layers that are made anew",
            (),
        ),
    )


def planned(costs: dict[int, int]) -> Planned:
    after: list[PlannedLayer] = []
    for number, cost in costs.items():
        parts = -(-cost // int(LIMIT * 0.8)) if cost > LIMIT else 1
        left = cost
        for part in range(1, parts + 1):
            size = left if part == parts else int(cost / parts * (1.04 if part % 2 else 0.96))
            left -= size
            held = _HELD[part - 1] if parts > 1 else ()
            digest = sha256(f"{number} {part}".encode())
            after.append(PlannedLayer(len(after) + 1, digest, size, number, part if parts > 1 else 0, parts, number == 1, held))
    return Planned(
        platform="linux/amd64",
        before=tuple(costs.values()),
        after=tuple(after),
        limit=LIMIT,
        taken_out=("attestation sha256:4c1f06d2 of linux/amd64: SLSA provenance",),
        send=sum(layer.size for layer in after if not layer.there),
        seconds=sum(layer.size for layer in after if not layer.there) / 6_250_000,
    )


_HELD = (
    (f"/{SITE}/nvidia/cudnn 422 MB", f"/{SITE}/nvidia/cublas 377 MB"),
    (f"/{SITE}/torch/lib/libtorch_cuda.so 733 MB",),
    (f"/{SITE}/torch/lib 190 MB", f"/{SITE}/triton 119 MB", f"/{SITE}/nvidia/nccl 139 MB"),
    (f"/{SITE}/transformers 33 MB",),
)


def findings(layers: Sequence[LayerSummary]) -> list[Finding]:
    large = next(layer for layer in layers if layer.exceeds)
    return [
        Finding("LK002", "1 attestation", "replicated takes none, found 4c1f06d2a3b4", "layerkit fix-and-push takes them out"),
        Finding(
            "LK001",
            f"linux/amd64 layer {large.number} ({large.digest[7:19]})",
            f"{large.size / 1e9:.2f} GB, the limit is 1.00 GB",
            "layerkit fix-and-push splits it",
        ),
    ]


def bare() -> tuple[ImageSummary, list[PlatformPage], list[Finding]]:
    """Two platforms whose layers weren't read."""
    layers = [
        layer_summary(1, 31_400_000, "ADD rootfs.tar.xz /"),
        layer_summary(2, 187_000_000, "RUN apk add --no-cache nodejs npm"),
    ]
    return image_summary("web.tar", [platform_summary("linux/amd64", layers), platform_summary("linux/arm64/v8", layers)]), [], []


def many(count: int) -> tuple[ImageSummary, list[PlatformPage], list[Finding]]:
    """An image of so many layers."""
    drawn = random.Random(3)
    sizes = [drawn.choice((2_000, 40_000, 90_000, 900_000, 60_000_000, 180_000_000)) for _ in range(count)]
    layers = [layer_summary(n, size, f"RUN step {n}") for n, size in enumerate(sizes, 1)]
    after = [PlannedLayer(n, sha256(str(n).encode()), size, n, 0, 1, None, ()) for n, size in enumerate(sizes, 1)]
    page = PlatformPage(planned=Planned("linux/amd64", tuple(sizes), tuple(after), LIMIT, (), sum(sizes), None))
    return image_summary("many.tar", [platform_summary("linux/amd64", layers)]), [page], []


PAGES: dict[str, Callable[[], tuple[ImageSummary, list[PlatformPage], list[Finding]]]] = {
    "ranker": ranker,
    "classic": lambda: ranker(estimated=True),
    "bare": bare,
    "many": lambda: many(500),
    "empty": lambda: many(0),
}


if __name__ == "__main__":
    for page_name, make in PAGES.items():
        target = Path(sys.argv[1]) / f"{page_name}.html"
        target.write_text(image_page(*make()), encoding="utf-8")
        print(target, target.stat().st_size)
