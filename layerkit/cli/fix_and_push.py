"""`layerkit fix-and-push IMAGE [REFERENCE]`: the image in the registry, however it was."""

from dataclasses import replace

import click

from layerkit.cli import fixing
from layerkit.cli.images import opened
from layerkit.cli.options import (
    Connection,
    Splitting,
    Upload,
    connection_options,
    jobs_option,
    json_option,
    splitting_options,
    upload_options,
    verbosity,
)
from layerkit.cli.push import open_push, telling
from layerkit.cli.registries import connector, target_of
from layerkit.cli.reusing import reuse
from layerkit.deliver import deliver
from layerkit.errors import UsageError
from layerkit.image.digest import Digest, short
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor
from layerkit.image.media_types import is_image_config
from layerkit.image.reference import Reference, app_reference, check_slug, parse_reference
from layerkit.profiles import PROFILES, REPLICATED, profile_for
from layerkit.progress import Progress
from layerkit.registry.client import RegistryClient
from layerkit.report.sizes import format_size
from layerkit.report.text import json_text
from layerkit.rewrite import FixOptions, fix_image


@click.command()
@click.argument("image")
@click.argument("reference", required=False)
@click.option(
    "--app",
    metavar="SLUG",
    help=f"Push to {REPLICATED.hosts[0]}/SLUG/NAME:TAG, with the image's own name and tag.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be done and what is there already; push nothing.")
@splitting_options
@connection_options
@upload_options
@jobs_option
@json_option
@verbosity
def command(
    image: str,
    reference: str | None,
    app: str | None,
    dry_run: bool,
    splitting: Splitting,
    connection: Connection,
    upload: Upload,
    jobs: int | None,
    as_json: bool,
    progress: Progress,
) -> None:
    """Make the image fit its registry, and push it.

    Takes attestations out, splits the layers that are too large, proves that the filesystem is the same, uploads, and writes the
    tag last. REFERENCE is HOST[:PORT]/REPOSITORY[:TAG]; without it the image's own name counts when it is at a registry that
    layerkit knows, or --app. Prints REFERENCE@DIGEST.
    """
    target = _given(reference, app)
    connect = connector(connection, progress)
    source = opened(image, connection, progress, splitting.platforms, connect)
    target = target or _own(source, app)
    options = fixing.fix_options(splitting, profile_for(target.host), None)
    client = connect(target.registry)
    if dry_run:
        _dry_run(source, target, options, client, as_json, progress)
        return
    client.contact()
    options, repositories = _with_known(options, client, target, upload)
    with telling(open_push(target, connect, upload, jobs, progress, repositories), progress) as destination:
        destination.check()
        save = fixing.saving(splitting, source, progress)
        done = deliver(source, options, destination, progress=progress, before_name=save)
        fixing.tell(done.fixed, source, progress)
    if as_json:
        result = {"reference": target.at(done.digest), "digest": done.digest, **fixing.as_json(done.fixed)}
        click.echo(json_text(result))
    else:
        click.echo(target.at(done.digest))


def _given(reference: str | None, app: str | None) -> Reference | None:
    """What the command line says of the target; refused before anything is read if it can't be."""
    if reference is not None and app is not None:
        raise UsageError("REFERENCE and --app say the same thing; give one of them")
    if app is not None:
        check_slug(app)
    return target_of(reference) if reference is not None else None


def _own(source: Image, app: str | None) -> Reference:
    """The target by the image's own name."""
    if source.reference is None:
        raise UsageError(f"{source.name}: the image carries no name; say where it goes: HOST[:PORT]/REPOSITORY[:TAG]")
    if app is not None:
        return app_reference(app, source.reference, REPLICATED.hosts[0])
    own = parse_reference(source.reference)
    hosts = [host for profile in PROFILES for host in profile.hosts]
    if own.host not in hosts:
        raise UsageError(
            f"{source.name}: the image is called {own}, which is not at {' or '.join(hosts)}; say where it goes: "
            "--app SLUG, or layerkit fix-and-push IMAGE HOST/REPOSITORY:TAG"
        )
    return own


def _with_known(
    options: FixOptions, client: RegistryClient, target: Reference, upload: Upload
) -> tuple[FixOptions, tuple[str, ...]]:
    known, repositories = reuse(client, target, upload.reuse_from)
    return replace(options, known=known), repositories


def _dry_run(
    source: Image, target: Reference, options: FixOptions, client: RegistryClient, as_json: bool, progress: Progress
) -> None:
    """The plan: every blob of the result, and whether it is there."""
    fixed = fix_image(source, options, progress=progress)
    blobs: dict[Digest, Descriptor] = {}
    for found in fixed.image.platforms():
        blobs.update((descriptor.digest, descriptor) for descriptor in (found.manifest.config, *found.manifest.layers))
    there = {digest: client.has_blob(target.repository, digest) for digest in blobs}
    if as_json:
        rows = [
            {"digest": digest, "size": blob.size, "media_type": blob.media_type, "there": there[digest]}
            for digest, blob in blobs.items()
        ]
        plan = {"reference": target.at(fixed.image.root.digest), "blobs": rows, **fixing.as_json(fixed)}
        click.echo(json_text(plan))
        return
    click.echo(f"would push {target}\n@{fixed.image.root.digest}")
    names = {
        part.blob.digest: f"part {number} of {len(change.parts)} of layer {short(change.source.digest)}"
        for change in fixed.changes
        for number, part in enumerate(change.parts, 1)
    }
    for about in fixed.taken_out:
        entry = about.descriptor
        click.echo(f"  take out  {short(entry.digest)}  {format_size(entry.size):>8}  {about.kind.value}")
    words = {True: "is there", False: "send", None: "send?"}
    for digest, blob in blobs.items():
        name = names.get(digest) or ("config" if is_image_config(blob.media_type) else "layer")
        click.echo(f"  {words[there[digest]]:<8}  {short(digest)}  {format_size(blob.size):>8}  {name}")
    to_send = sum(blob.size for digest, blob in blobs.items() if not there[digest])
    click.echo(f"{format_size(to_send)} of {format_size(sum(blob.size for blob in blobs.values()))} would be sent")
