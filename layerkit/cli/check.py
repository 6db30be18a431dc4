"""`layerkit check`: would the target take the image as it is? One line per finding; exit 1 if there is any."""

import contextlib
from collections.abc import Sequence
from dataclasses import asdict

import click

from layerkit.cli.choosing import profile_for_image, profile_option
from layerkit.cli.images import opened
from layerkit.cli.options import Connection, connection_options, json_option, platform_option, size, verbosity
from layerkit.errors import DamagedError
from layerkit.progress import Progress
from layerkit.report.ci_formats import github, junit, sarif
from layerkit.report.findings import Finding, check, file_findings
from layerkit.report.sizes import format_size
from layerkit.report.summary import chosen
from layerkit.report.text import json_text, one_line, plural
from layerkit.report.validation import validate
from layerkit.schemas import document

EXIT_FOUND = 1


@click.command()
@click.argument("image")
@profile_option
@click.option("--max-layer-size", type=size, metavar="SIZE", help="The largest layer.  [default: the profile's]")
@click.option("--deep", is_flag=True, help="Read every blob too, and compare it with what is said about it.")
@click.option(
    "--format",
    "layout",
    type=click.Choice(["text", "json", "github", "sarif", "junit"]),
    default="text",
    help="json: as --json. github: annotations of a workflow. sarif: for code scanning. junit: a test report.",
)
@platform_option
@json_option
@connection_options
@verbosity
@click.pass_context
def command(
    context: click.Context,
    image: str,
    profile_name: str | None,
    max_layer_size: int | None,
    deep: bool,
    layout: str,
    platforms: tuple[str, ...],
    as_json: bool,
    connection: Connection,
    progress: Progress,
) -> None:
    """Say what a registry would refuse about IMAGE.

    --profile says which registry, or the host in the image's own name. Exits with 0 when nothing stands in the way, 1 otherwise.
    The codes are explained in docs/checks.md.
    """
    if as_json and layout not in ("text", "json"):
        raise click.UsageError(f"--json and --format {layout} say two things; give one of them")
    source = opened(image, connection, progress, platforms)
    profile = profile_for_image(profile_name, source, image)
    limit = max_layer_size or profile.max_layer_size
    findings = check(source, profile, limit, platforms)
    if deep:
        advice = "the image is damaged: build or save it again"
        with contextlib.suppress(DamagedError):  # told below
            findings += file_findings(source, limit, platforms)
        findings += [Finding("LK020", "content", message, advice) for message in validate(source)]
    if as_json or layout == "json":
        fields = {"image": source.name, "profile": profile.name, "limit": limit, "findings": [asdict(one) for one in findings]}
        click.echo(json_text(document("check", fields)))
    else:
        text = _text(layout, findings, source.name, [str(one.platform) for one in chosen(source, platforms)])
        if text:
            click.echo(text)
    if not findings:
        progress.note(f"{source.name}: {profile.name} takes it, with layers of up to {format_size(limit)}")
        return
    progress.note(f"{source.name}: {plural(len(findings), 'finding')}")
    context.exit(EXIT_FOUND)


def _text(layout: str, findings: Sequence[Finding], name: str, platforms: Sequence[str]) -> str:
    if layout == "github":
        return github(findings, name)
    if layout == "sarif":
        return sarif(findings, name)
    if layout == "junit":
        return junit(findings, name, platforms)
    return "\n".join(one_line(str(finding)) for finding in findings)
