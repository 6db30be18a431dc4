"""The images behind the lines: each once, opened once, and let go when it is done."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from layerkit.batch.list import Line, parse_list
from layerkit.batch.options import Asked, deciding
from layerkit.batch.orders import orders_of, share
from layerkit.batch.shards import Shard
from layerkit.batch.sources import Found, Sources
from layerkit.errors import ImageError, UsageError
from layerkit.image.image import Image
from layerkit.image.reference import parse_reference
from layerkit.profiles import KNOWN
from layerkit.progress import SILENT
from layerkit.sources import opened_at
from layerkit.sources.files import Opened
from layerkit.sources.transports import Place
from tests.images import add_image, attested_archive, small
from tests.sources.builders import Files, docker_archive, layout, write_folder, write_tar
from tests.tar_building import file, layer

REF = "org.opencontainers.image.ref.name"


class Counted:
    """Sources that count what is opened."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.sources = Sources(self._open, self._other, SILENT)

    def _open(self, place: Place) -> Opened:
        self.opened.append(place.location)
        return opened_at(place)

    def _other(self, spec: str, platforms: Sequence[str]) -> Image:
        raise ImageError(f"{spec}: not here")

    def found(self, *lines: str) -> list[Found]:
        found = self.sources.found(parse_list(lines, "list"))
        assert all(isinstance(one, Found) for one in found), found
        return [one for one in found if isinstance(one, Found)]


def bundle(*annotations: dict[str, str]) -> Files:
    files: Files = {}
    entries = [{**add_image(files, [small(str(number))]), "annotations": own} for number, own in enumerate(annotations)]
    return layout(files, *entries)


def test_a_layout_with_names_tags_and_neither(tmp_path: Path) -> None:
    write_folder(
        tmp_path / "bundle",
        bundle({REF: "quay.io/team/web:1"}, {REF: "v1"}, {}, {"io.containerd.image.name": "docker.io/library/redis:7", REF: "7"}),
    )
    counted = Counted()
    found = counted.found(f"{tmp_path}/bundle")
    assert [(one.line.image.removeprefix(f"oci:{tmp_path}/bundle:"), one.own) for one in found] == [
        ("quay.io/team/web:1", "quay.io/team/web:1"),
        ("v1", None),
        ("@2", None),
        ("docker.io/library/redis:7", "docker.io/library/redis:7"),
    ]
    assert all(one.size for one in found)
    digests = {counted.sources.image(one.line, ()).root.digest for one in found}
    assert len(digests) == len(found)
    assert len(counted.opened) == 1
    for one in found:
        counted.sources.done(one.line)
    counted.sources.image(found[0].line, ())
    assert len(counted.opened) == 2, "what is done is let go"


def test_one_image_under_two_names(tmp_path: Path) -> None:
    write_tar(tmp_path / "saved.tar", docker_archive(layer(file("a", b"a")), tags=("web:1", "web:2")))
    found = Counted().found(f"{tmp_path}/saved.tar")
    assert [one.own for one in found] == ["web:1", "web:2"]
    single = write_tar(tmp_path / "one.tar", docker_archive(layer(file("a", b"a")), tags=("web:1",)))
    (one,) = Counted().found(str(single))
    assert (one.line.image, one.own) == (str(single), "web:1")


def test_several_lines_of_one_file(tmp_path: Path) -> None:
    write_tar(tmp_path / "b.tar", bundle({REF: "quay.io/a:1"}, {REF: "quay.io/b:1"}))
    at = f"oci-archive:{tmp_path}/b.tar"
    counted = Counted()
    found = counted.found(f"{at}:quay.io/a:1 host.example/a:1", f"{at}:quay.io/b:1 host.example/b:1")
    for one in found:
        counted.sources.image(one.line, ())
    assert len(counted.opened) == 1


def test_what_is_elsewhere_has_its_name_and_no_size() -> None:
    (one, other) = Counted().found("docker://quay.io/a:1 to=host.example/m", "docker-daemon:web:1 size=1kB")
    assert (one.own, one.size) == ("quay.io/a:1", None)
    assert (other.own, other.size) == ("web:1", 1000)


def orders(counted: Counted, *lines: str, to: str | None = None, app: str | None = None) -> list[str]:
    found, failed = orders_of(parse_list(lines, "list"), counted.sources, deciding(Asked(), KNOWN), to=to, app=app)
    assert not failed
    return [str(order.target) for order in found]


def test_where_they_go(tmp_path: Path) -> None:
    archive = attested_archive(tmp_path / "a.tar", [small()], name="quay.io/team/web:1")
    assert orders(Counted(), str(archive), to="host.example/m") == ["host.example/m/team/web:1"]
    assert orders(Counted(), str(archive), app="my-app") == ["registry.replicated.com/my-app/web:1"]
    assert orders(Counted(), f"{archive} to=host.example/other", to="host.example/m") == ["host.example/other/team/web:1"]
    assert orders(Counted(), f"{archive} host.example/x", to="host.example/m") == ["host.example/x:latest"]


def test_an_image_without_a_name(tmp_path: Path) -> None:
    archive = attested_archive(tmp_path / "a.tar", [small()], name="v1")
    with pytest.raises(UsageError, match=r"list:1: .*carries no name"):
        orders(Counted(), str(archive), to="host.example/m")


def test_what_cannot_be_looked_into_is_its_own_error_and_in_one_shard(tmp_path: Path) -> None:
    lines = parse_list([f"{tmp_path}/gone.tar", f"docker://quay.io/a:1 host.example/a:{tmp_path.name[:20]}"], "list")
    shards = []
    for index in (1, 2, 3):
        sources = Counted().sources
        found, failed = orders_of(lines, sources, deciding(Asked(), KNOWN), to="host.example/m")
        own, unfound, fingerprint = share(found, failed, Shard(index, 3), sources)
        shards.append(([str(order.target) for order in own], [line.image for line, _ in unfound], fingerprint))
    assert sorted(name for own, _, _ in shards for name in own) == [str(found[0].target)]
    assert [image for _, unfound, _ in shards for image in unfound] == [f"{tmp_path}/gone.tar"]
    assert len({fingerprint for _, _, fingerprint in shards}) == 1


def test_options_that_change_the_result_change_its_key() -> None:
    def key(*options: str) -> str:
        (line,) = parse_list([" ".join(["a.tar host.example/a:1", *options])], "list")
        return _order(line)

    changed = [
        "max-layer-size=10MB",
        "compression=zstd:3",
        "format=docker",
        "platform=linux/arm64",
        "keep-attestations=true",
        "allow-oversized=true",
        "no-verify=true",
        "profile=replicated",
    ]
    assert len({key(), *map(key, changed)}) == len(changed) + 1
    assert key("size=3GB") == key()


def _order(line: Line) -> str:
    assert line.reference is not None
    return deciding(Asked(), KNOWN)(line, parse_reference(line.reference)).key
