"""`layerkit blank REFERENCE`: an empty image over a tag, where nothing can be deleted."""

import sys

import click

from layerkit.cli.choosing import profile_for_target
from layerkit.cli.options import Connection, connection_options, json_option, verbosity
from layerkit.cli.options import platform as platform_type
from layerkit.cli.registries import connector
from layerkit.errors import UsageError
from layerkit.image.image import Image
from layerkit.image.manifest import Platform
from layerkit.image.media_types import family_of
from layerkit.image.reference import parse_reference
from layerkit.progress import Progress
from layerkit.pusher.blank import blank_image
from layerkit.pusher.push import RegistryDestination
from layerkit.report.sizes import format_size
from layerkit.report.text import json_text, one_line, plural
from layerkit.schemas import document
from layerkit.sources import open_image


@click.command()
@click.argument("reference")
@click.option("--platform", type=platform_type, metavar="OS/ARCH", help="Of the empty image.  [default: the replaced one's]")
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@json_option
@connection_options
@verbosity
def command(reference: str, platform: str | None, yes: bool, as_json: bool, connection: Connection, progress: Progress) -> None:
    """Push an empty image over the tag of REFERENCE, where images can't be deleted.

    Shows what the tag holds first, and asks. What the tag held stays reachable by its digest, if somebody knows it.
    """
    target = parse_reference(reference)
    if target.digest is not None:
        raise UsageError(f"{reference!r}: a digest can't be emptied, only a tag; expected HOST[:PORT]/REPOSITORY:TAG")
    connect = connector(connection, progress)
    held = open_image(f"docker://{target}", connect=connect)
    profile = profile_for_target(None, target)
    chosen = _platform(platform, held)
    empty = blank_image(chosen, profile.family or family_of(held.root.media_type))
    if held.root.digest == empty.root.digest:
        progress.note(f"{target} is empty already")
    else:
        for line in _description(held):
            click.echo(line, err=True)
        progress.warn(
            f"releases that were made with {target.repository}:{target.tag} may still use it: whoever installs or upgrades them "
            "gets the empty image, which runs nothing. This can't be undone, unless you push the image again"
        )
        _ask(f"Replace {target} with an empty image?", yes)
        with RegistryDestination(connect(target.registry), target, profile=profile, progress=progress) as destination:
            destination.finish(empty)
    name = target.at(empty.root.digest)
    result = {"reference": name, "digest": empty.root.digest, "replaced": held.root.digest}
    click.echo(json_text(document("blank", result)) if as_json else name)


def _platform(given: str | None, held: Image) -> Platform:
    """The one asked for, or the first that the tag holds."""
    if given is not None:
        return Platform(*given.split("/"))
    found = next((image.platform for image in held.platforms() if image.platform.os), None)
    return found or Platform("linux", "amd64")


def _description(held: Image) -> list[str]:
    """What is under the tag, a line per platform."""
    lines = [f"{held.reference} is {held.root.digest}"]
    for image in held.platforms():
        layers = image.manifest.layers
        size = format_size(sum(layer.size for layer in layers))
        created = image.config.fields.get("created")
        made = f", made {one_line(created)}" if isinstance(created, str) else ""
        lines.append(f"  {one_line(str(image.platform))}: {plural(len(layers), 'layer')}, {size}{made}")
    return lines


def _ask(question: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody to ask: standard input is no terminal; with --yes it is done without asking")
    click.confirm(question, abort=True, err=True)
