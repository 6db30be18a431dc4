"""`fix-and-push` against what copies the unsplit image: the OCI archive as it is, and the classic archive, compressing."""

from benchmarks import commands
from benchmarks.contest import Result, Rules, alternate
from benchmarks.material import Material
from benchmarks.registry import docker_registry
from benchmarks.results import (
    RACE_COLUMNS,
    Goal,
    Section,
    memory_goal,
    named,
    problems,
    race_bars,
    race_data,
    race_rows,
    ratio_goal,
)
from layerkit.report.sizes import format_size


def gzip_layer(material: Material, limit: int, rules: Rules) -> Section:
    contenders = [
        commands.skopeo_copy(f"oci-archive:{material.oci}"),
        commands.fix_and_push(material.oci, limit, commands.PUSH),
    ]
    results = alternate("push", contenders, rules, inputs=[material.oci], serve=docker_registry)
    skopeo, pushed = named(results, commands.SKOPEO), named(results, commands.PUSH)
    return Section(
        "push",
        f"Pushing an OCI archive with a gzip layer of {format_size(material.size)}, split at {format_size(limit)}",
        "To docker-registry on loopback, with empty storage. skopeo copies the unsplit image as it is, without its attestation; "
        "layerkit takes it out, splits the layer, proves the result and pushes it. The registry's own work counts for both.",
        RACE_COLUMNS,
        race_rows(results, reference=skopeo),
        [
            ratio_goal("`fix-and-push` against skopeo's plain copy of the unsplit image", 1.3, pushed, skopeo),
            _no_disk(pushed),
            memory_goal(results, "`fix-and-push`, gzip"),
        ],
        bars=race_bars(results),
        notes=problems(results),
        data=race_data(results),
    )


def docker_archive(material: Material, limit: int, rules: Rules) -> Section:
    contenders = [
        commands.skopeo_copy(f"docker-archive:{material.docker}"),
        commands.fix_and_push(material.docker, limit, commands.PUSH),
        commands.crane_push(material.docker),
    ]
    results = alternate("classic", contenders, rules, inputs=[material.docker], serve=docker_registry)
    skopeo, pushed = named(results, commands.SKOPEO), named(results, commands.PUSH)
    return Section(
        "classic",
        f"Pushing a classic docker archive of {format_size(material.raw_size)}, split at {format_size(limit)}",
        "What `docker save` wrote before docker 25: layers are not compressed, so all contenders compress them. skopeo "
        "and crane push one layer.",
        RACE_COLUMNS,
        race_rows(results, reference=skopeo),
        [
            ratio_goal("`fix-and-push` of a classic archive against skopeo", 0.25, pushed, skopeo),
            ratio_goal("bytes pushed of a classic archive against skopeo's", 1.07, pushed, skopeo, "bytes"),
            memory_goal(results, "`fix-and-push`, classic"),
        ],
        bars=race_bars(results),
        notes=problems(results),
        data=race_data(results),
    )


def _no_disk(pushed: Result | None) -> Goal:
    what = "temporary disk of `fix-and-push` for a gzip layer"
    if pushed is None or not pushed.is_measured:
        return Goal(what, "0", "not measured", None)
    return Goal(what, "0", format_size(pushed.temporary_disk), pushed.temporary_disk == 0)
