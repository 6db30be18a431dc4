"""From what was found to what would help."""

import random
from collections.abc import Sequence
from dataclasses import replace

from layerkit.advice import Advice, Context, Tally, advise, read_rules
from layerkit.costs.contents import Contents, LayerFound, PackageFound
from layerkit.costs.summing import contents_of
from tests.costs.reading import platform_files
from tests.tar_building import file, layer, whiteout

RULES = read_rules()
CONTEXT = Context(limit=1 << 40, takes_zstd=False)
NOISE = random.Random(6).randbytes(8_000_000)


def advice_on(*tars: bytes, context: Context = CONTEXT, commands: Sequence[str] = ()) -> list[Advice]:
    read = platform_files(*tars)
    if commands:
        read = replace(read, commands=tuple(commands))
    tally = Tally(RULES)
    return list(advise(contents_of(read, 100, [tally]), tally, RULES, context))


def test_a_clean_image() -> None:
    assert advice_on(layer(file("usr/bin/app", NOISE[:2_000_000]))) == []


def test_files_at_paths() -> None:
    (found,) = advice_on(
        layer(file("usr/bin/app", NOISE[:100])),
        layer(file("root/.cache/pip/http/a", NOISE[:300_000]), file("root/.cache/pip/http/b", NOISE[300_000:700_000])),
        commands=["FROM", "RUN pip install app"],
    )
    assert (found.rule, found.layer, found.step) == ("pip-cache", 2, "RUN pip install app")
    assert 690_000 < found.gain < 710_000
    assert found.paths == ("/root/.cache/pip/http/b", "/root/.cache/pip/http/a")
    assert "--no-cache-dir" in found.help


def test_what_is_too_little_is_not_told_of() -> None:
    assert advice_on(layer(file("root/.cache/pip/http/a", NOISE[:50_000]))) == []


def test_deleted_later() -> None:
    (found,) = advice_on(
        layer(file("opt/model", NOISE), file("opt/keep", b"x")),
        layer(whiteout("opt/model")),
        commands=["COPY model /opt", "RUN rm {odd} /opt/model"],
    )
    assert (found.rule, found.layer, found.step, found.paths) == ("deleted-later", 1, "COPY model /opt", ("/opt/model",))
    assert found.title == "Layer 2 deletes or replaces what layer 1 brought"
    assert "RUN rm {odd} /opt/model" in found.help


def test_a_chmod_is_told_of_once() -> None:
    """The files below are wasted, too: of these bytes only one copy can be saved."""
    (found,) = advice_on(
        layer(file("a", NOISE), file("b", NOISE[::-1])), layer(file("a", NOISE, mode=0o755), file("b", NOISE[::-1], uid=3))
    )
    assert (found.rule, found.layer) == ("changed-once-more", 2)
    assert "holds 2 files again" in found.title
    assert 15_900_000 < found.gain < 16_100_000


def test_same_content() -> None:
    (found,) = advice_on(layer(file("a", NOISE), file("b", NOISE)))
    assert (found.rule, found.layer) == ("same-content", None)
    assert set(found.paths) == {"/a", "/b"}


def test_cuda_twice() -> None:
    pip, system = NOISE[:5_000_000], NOISE[3_000_000:]
    found = advice_on(
        layer(
            file("opt/site-packages/nvidia/cudnn/lib/libcudnn.so.9", pip),
            file("usr/lib/x86_64-linux-gnu/libcudnn.so.8.9.7", system[:4_000_000]),
            file("opt/site-packages/nvidia/nccl/lib/libnccl.so.2", NOISE[6_000_000:]),
        )
    )
    (twice,) = [one for one in found if one.rule == "cuda-twice"]
    assert 3_900_000 < twice.gain < 4_100_000
    assert set(twice.paths) == {
        "/opt/site-packages/nvidia/cudnn/lib/libcudnn.so.9",
        "/usr/lib/x86_64-linux-gnu/libcudnn.so.8.9.7",
    }


def contents(**more: object) -> Contents:
    read = platform_files(layer(file("a", b"x")))
    return replace(contents_of(read, 5), **more)  # type: ignore[arg-type]


def test_build_tools() -> None:
    packages = [
        PackageFound("deb", "gcc-12", "12.2", 10, 1, 30_000_000),
        PackageFound("deb", "libssl-dev", "3", 10, 1, 3_000_000),
        PackageFound("deb", "libssl3", "3", 10, 1, 3_000_000),
        PackageFound("python", "make", "1", 10, 1, 3_000_000),
    ]
    (found,) = advise(contents(packages=tuple(packages)), Tally(RULES), RULES, CONTEXT)
    assert (found.rule, found.gain, found.paths) == ("build-tools", 33_000_000, ("gcc-12 12.2", "libssl-dev 3"))


def test_files_that_cannot_be_split() -> None:
    (found,) = advice_on(layer(file("big", NOISE), file("small", NOISE[:100])), context=Context(7_000_000, takes_zstd=False))
    assert (found.rule, found.gain, found.paths) == ("unsplittable", 0, ("/big",))
    assert found.title == "A file of 8 MB compressed, 1 MB above the limit of 7 MB"


def test_zstd() -> None:
    layers = (LayerFound(1, "sha256:0", 1, 100_000_000, False, 1, 1, 1, "COPY", zstd_cost=80_000_000),)
    seen = contents(layers=layers, cost=100_000_000)
    (found,) = advise(seen, Tally(RULES), RULES, Context(1 << 40, takes_zstd=True))
    assert (found.rule, found.gain) == ("zstd", 20_000_000)
    assert advise(seen, Tally(RULES), RULES, CONTEXT) == ()


def test_every_computed_rule_is_tried_here() -> None:
    assert set(RULES.computed) == {
        "deleted-later",
        "changed-once-more",
        "same-content",
        "cuda-twice",
        "build-tools",
        "unsplittable",
        "zstd",
    }


def test_the_largest_gain_comes_first() -> None:
    found = advice_on(
        layer(file("root/.cache/pip/a", NOISE[:3_000_000]), file("x", NOISE), file("y", NOISE), file("tmp/a", NOISE[:500_000]))
    )
    assert [one.gain for one in found] == sorted((one.gain for one in found), reverse=True)
    assert {one.rule for one in found} == {"pip-cache", "same-content", "temporary-files"}
