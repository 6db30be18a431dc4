"""What is tried: each target makes an input from choices, hands it to layerkit, and says what came of it.

A target returns a word or two (`the same`, `DamagedError`); anything else that it raises is a finding. LayerkitErrors are an
outcome wherever an input may be wrong, but for a ProofError: the proof refusing what was made of a sound layer is a fault that
was caught late.
"""

import contextlib
import gzip
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import zstandard

import layerkit
from fuzz import streams, tars
from fuzz.choices import Choices, chance
from fuzz.judging import WrongError, check_contents, check_image, check_same
from fuzz.mutation import damaged, damaged_json, damaged_tar
from layerkit.cli.main import EXIT_BUG, run
from layerkit.compare.comparing import changes_of
from layerkit.costs.layer_files import FILE
from layerkit.costs.reading import Layers, read_platform
from layerkit.costs.summing import contents_of
from layerkit.errors import CannotFixError, DamagedError, LayerkitError, ProofError, UnsplittableError
from layerkit.image.digest import sha256
from layerkit.image.image import Image
from layerkit.image.media_types import OCI_CONFIG, OCI_MANIFEST, Compression, Family, layer_type
from layerkit.progress import SILENT
from tests.sources.builders import Files, add_index, layout, put, tar, write_folder, write_tar

Target = Callable[[Choices, Path], str]
"""Choices and an empty folder; what came of it."""

_LIMITS = (65_536, 70_000, 100_000, 250_000, 1_000_000)

_MOST_RAW = 50_000_000
"""Bytes of a layer's tar."""

Made = tuple[bytes, bytes, Compression]
"""A layer: its tar, its blob, and what that is compressed with."""


def layers(choices: Choices, folder: Path) -> str:
    """Sound layers of entries that everybody reads alike: fixed, and judged by tarfile too."""
    return _fixed(choices, folder, lambda budget: _made(choices, tars.layer(choices, budget, tame=True)), _LIMITS, tame=True)


def hazards(choices: Choices, folder: Path) -> str:
    """Layers with whiteouts, links and replacements in any order."""
    return _fixed(choices, folder, lambda budget: _made(choices, tars.layer(choices, budget)), _LIMITS)


def seams(choices: Choices, folder: Path) -> str:
    """Layers large enough for their streams to be copied: at limits of 4 MiB and more, gzip isn't encoded anew."""

    def made(budget: int) -> Made:
        raw = tars.layer(choices, min(2 * budget, _MOST_RAW), tame=True)
        return raw, streams.gzipped(choices, raw), Compression.GZIP

    return _fixed(choices, folder, made, (4 << 20, 4_500_000, 6_000_000), tame=True)


def broken(choices: Choices, folder: Path) -> str:
    """Damaged tars and damaged streams, under the right digests."""

    def made(budget: int) -> Made:
        raw = tars.layer(choices, budget)
        if chance(choices, 2):
            return _made(choices, damaged_tar(choices, raw) if chance(choices, 2) else damaged(choices, raw))
        blob, compression = streams.compressed(choices, raw)
        return raw, damaged(choices, blob), compression

    return _fixed(choices, folder, made, _LIMITS, sound=False)


def conversions(choices: Choices, folder: Path) -> str:
    """Small layers, sound and damaged, in another compression, and compared with what they were."""
    raw = tars.layer(choices, choices.choice((0, 1000, 10_000)))
    raw = damaged_tar(choices, raw) if chance(choices, 2) else raw
    blob, compression = streams.compressed(choices, raw)
    blob = damaged(choices, blob) if chance(choices, 3) else blob
    source = layerkit.open_image(write_folder(folder / "layout", _image(choices, [(raw, blob, compression)])))
    wanted = choices.choice((Compression.GZIP, Compression.ZSTD))
    try:
        fixed = layerkit.fix(source, compression=wanted, jobs=1)
    except ProofError as error:
        raise WrongError(f"the proof refuses: {error}") from error
    except LayerkitError as error:
        return f"fix: {type(error).__name__}"
    check_image(fixed, limit=None, untouched=[sha256(blob)])
    try:
        check_same(source, fixed)
    except LayerkitError as error:
        return f"verify: {type(error).__name__}"
    return "the same"


def costs(choices: Choices, folder: Path) -> str:
    """Layers with anything in them, looked at: every byte of the blobs is some member's, every file is seen or wasted."""
    made = [_made(choices, tars.layer(choices, choices.choice((0, 3000, 100_000)))) for _ in range(choices.randint(1, 4))]
    source = layerkit.open_image(write_folder(folder / "layout", _image(choices, [*made, *made[: choices.randint(0, 1)]])))
    try:
        read = read_platform(source, source.platforms()[0], Layers(SILENT))
    except LayerkitError as error:
        return type(error).__name__
    contents = contents_of(read, 5)
    sizes = 0
    for layer in read.files.distinct:
        members = [layer.cost_of(number) for number in range(len(layer))]
        if min(members, default=0) < 0 or sum(members) > layer.cost:
            raise WrongError(f"members cost {sum(members):,} of {layer.cost:,} bytes")
        sizes += sum(layer.sizes[number] for number in range(len(layer)) if layer.kinds[number] == FILE)
    if contents.size + contents.wasted_size != sizes:
        raise WrongError(f"{contents.size:,} bytes are seen and {contents.wasted_size:,} wasted, of {sizes:,}")
    other = changes_of(read, read, 5)
    if other.files or other.send:
        raise WrongError("it differs from itself")
    return "all there"


def indexes(choices: Choices, folder: Path) -> str:
    """Documents that are wrong somewhere, as far as nothing of the layers is read."""
    path = write_folder(folder / "layout", _documents(choices))
    try:
        image = layerkit.open_image(path)
        layerkit.split_plan(image, max_layer_size=100_000)
        platforms = len(image.platforms())
    except LayerkitError as error:
        return type(error).__name__
    return f"{platforms} platforms"


def _made(choices: Choices, raw: bytes) -> Made:
    return raw, *streams.compressed(choices, raw)


def _fixed(
    choices: Choices,
    folder: Path,
    make: Callable[[int], Made],
    limits: Sequence[int],
    *,
    tame: bool = False,
    sound: bool = True,
) -> str:
    limit = choices.choice(limits)
    made = [make(limit * choices.choice((0, 1, 3, 6, 10))) for _ in range(choices.choice((1, 1, 2)))]
    if chance(choices, 6):
        made.append(made[0])
    files = _image(choices, made)
    path = write_tar(folder / "image.tar", files)
    oversized = chance(choices, 4)
    compression = choices.choice((None, None, None, Compression.GZIP, Compression.ZSTD))
    jobs = choices.choice((1, 2))

    def fix() -> Image:
        return layerkit.fix(
            layerkit.open_image(path),
            max_layer_size=limit,
            compression=compression,
            level=choices.choice((1, 6)) if compression is not None and chance(choices, 4) else None,
            allow_oversized=oversized,
            jobs=jobs,
        )

    try:
        fixed = fix()
    except ProofError as error:
        raise WrongError(f"the proof refuses: {error}") from error
    except DamagedError:
        if tame:
            raise
        return "DamagedError"
    except CannotFixError as error:
        if tame and not isinstance(error, UnsplittableError) and "layers would result" not in str(error):
            raise
        return type(error).__name__
    untouched = () if sound else [sha256(blob) for _, blob, _ in made]
    found = check_image(fixed, limit=None if oversized else limit, untouched=untouched)
    source = layerkit.open_image(path)
    if tame:
        check_same(source, fixed)
    else:
        with contextlib.suppress(LayerkitError):  # what nobody had to read may be what no applier could unpack
            check_same(source, fixed)
    if tame:
        check_contents([raw for raw, _, _ in made], found[0])
    return f"{'more' if len(fixed.platforms()[0].manifest.layers) > len(made) else 'as many'} layers"


def _image(choices: Choices, made: Sequence[Made]) -> Files:
    files: Files = {}
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [sha256(raw) for raw, _, _ in made]},
    }
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": put(files, json.dumps(config).encode(), OCI_CONFIG),
        "layers": [put(files, blob, layer_type(Family.OCI, compression)) for _, blob, compression in made],
    }
    return layout(files, put(files, json.dumps(document).encode(), OCI_MANIFEST))


# Whole files, through the commands.


def documents(choices: Choices, folder: Path) -> str:
    """Documents that are wrong somewhere, in a layout whose digests are right."""
    files = _documents(choices)
    path = write_folder(folder / "layout", files) if chance(choices, 2) else write_tar(folder / "image.tar", files)
    return _commanded(choices, path, folder)


def archives(choices: Choices, folder: Path) -> str:
    """Archives that are damaged anywhere, in any compression."""
    data = tar(_documents(choices, sound=True))
    data = damaged_tar(choices, data) if chance(choices, 2) else damaged(choices, data)
    way = choices.randrange(4)
    if way:
        data = (gzip.compress, zstandard.compress, lambda data: streams.zstd(choices, data))[way - 1](data)
        data = damaged(choices, data) if chance(choices, 2) else data
    path = folder / "image.tar"
    path.write_bytes(data)
    return _commanded(choices, path, folder)


def _documents(choices: Choices, *, sound: bool = False) -> Files:
    """An index of one or two images; somewhere on the way a document was changed, and everything above it named anew."""
    at = -1 if sound else choices.randrange(4)

    def document(number: int, fields: Mapping[str, Any]) -> bytes:
        data = json.dumps(fields).encode()
        return damaged_json(choices, data) if number == at else data

    files: Files = {}
    entries = []
    for architecture in ("amd64", "arm64")[: choices.randint(1, 2)]:
        raw = tars.layer(choices, choices.choice((0, 2000, 150_000)))
        blob, compression = streams.compressed(choices, raw)
        config = {
            "architecture": architecture,
            "os": "linux",
            "created": "2024-01-01T00:00:00Z",
            "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"], "Labels": {"a": "b"}, "ExposedPorts": {"80/tcp": {}}},
            "rootfs": {"type": "layers", "diff_ids": [sha256(raw)]},
            "history": [{"created_by": "x", "empty_layer": True}, {"created_by": "y"}],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": put(files, document(0, config), OCI_CONFIG),
            "layers": [put(files, blob, layer_type(Family.OCI, compression), annotations={"a": "b"})],
        }
        platform = {"os": "linux", "architecture": architecture}
        entries.append(put(files, document(1, manifest), OCI_MANIFEST, platform=platform))
    if len(entries) > 1 or chance(choices, 2):
        index = add_index(files, entries)
        data = files[f"blobs/sha256/{index['digest'].partition(':')[2]}"]
        entries = [put(files, document(2, json.loads(data)), index["mediaType"])]
    entries[0]["annotations"] = {"org.opencontainers.image.ref.name": "app:1"}
    found = layout(files, *entries)
    found["index.json"] = document(3, json.loads(found["index.json"]))
    if chance(choices, 4):
        config_path = next(iter(files))
        item = {"Config": config_path, "RepoTags": ["app:1"], "Layers": [path for path in files if path != config_path][:1]}
        manifest_json = json.dumps([item]).encode()
        found["manifest.json"] = manifest_json if sound else damaged_json(choices, manifest_json)
        if chance(choices, 2):
            del found["index.json"], found["oci-layout"]
    return found


def _commanded(choices: Choices, path: Path, folder: Path) -> str:
    out = folder / "fixed.tar"
    codes = [
        command("inspect", "--files", str(path)),
        command("check", "--deep", "--max-layer-size", "100KB", str(path)),
        command("fix", "--max-layer-size", "100KB", "--jobs", "1", str(path), str(out)),
    ]
    if (codes[2] == 0) != out.exists():
        raise WrongError(f"fix ended with {codes[2]}, and its output {'is' if out.exists() else 'is not'} there")
    if codes[2] == 0:
        codes.append(command("verify", str(path), str(out)))
        if codes[3] == 1:
            raise WrongError("verify finds a difference")
        codes.append(command("check", "--deep", "--max-layer-size", "100KB", str(out)))
    left = [item.name for item in folder.iterdir() if item.name not in ("image.tar", "layout", "fixed.tar")]
    if left:
        raise WrongError(f"left behind: {left}")
    return "exit " + " ".join(map(str, codes))


def command(*arguments: str) -> int:
    """One command line; its exit code. What it says goes nowhere, unless it is a bug."""
    with _captured() as said:
        code = run(arguments)
        if code == EXIT_BUG:
            sys.stderr.flush()
            raise WrongError(f"layerkit {' '.join(arguments)}: " + said.getvalue().decode(errors="replace")[-3000:])
    if code not in (0, 1, 2, 3, 4):
        raise WrongError(f"layerkit {' '.join(arguments)}: exit code {code}")
    return code


@contextlib.contextmanager
def _captured() -> Iterator[io.BytesIO]:
    out, err = io.BytesIO(), io.BytesIO()
    with (
        contextlib.redirect_stdout(io.TextIOWrapper(out, "utf-8", write_through=True)),
        contextlib.redirect_stderr(io.TextIOWrapper(err, "utf-8", "backslashreplace", write_through=True)),
    ):
        yield err


def _registries(choices: Choices, folder: Path) -> str:
    from fuzz.registries import answered  # sockets and threads: only for whoever wants them

    return answered(choices, folder)


TARGETS: Mapping[str, Target] = {
    "layers": layers,
    "hazards": hazards,
    "broken": broken,
    "conversions": conversions,
    "costs": costs,
    "indexes": indexes,
    "documents": documents,
    "archives": archives,
    "registries": _registries,
    "seams": seams,
}
