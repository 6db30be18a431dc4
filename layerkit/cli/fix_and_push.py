"""`layerkit fix-and-push IMAGE [REFERENCE]`: the image in the registry, however it was."""

import functools
from dataclasses import replace

import click

from layerkit.cli import fixing
from layerkit.cli.choosing import own_host, profile_for_target, profile_option
from layerkit.cli.images import opened
from layerkit.cli.options import (
    Connection,
    Splitting,
    Upload,
    connection_options,
    jobs_option,
    json_option,
    rate_option,
    splitting_options,
    upload_options,
    verbosity,
)
from layerkit.cli.planning import print_plan
from layerkit.cli.push import ask_to_push, open_push, telling
from layerkit.cli.registries import connector, remembered, target_of
from layerkit.cli.reusing import reusable
from layerkit.deliver import deliver
from layerkit.errors import UsageError
from layerkit.image.digest import Digest
from layerkit.image.image import Image
from layerkit.image.manifest import Descriptor
from layerkit.image.reference import Reference, app_reference, check_slug, parse_reference
from layerkit.planning import planned_of
from layerkit.profiles import REPLICATED
from layerkit.progress import Progress
from layerkit.pusher.host import remembered_blob_limit
from layerkit.pusher.reuse import Reuse
from layerkit.registry.client import RegistryClient
from layerkit.report.documents import planned_document
from layerkit.report.summary import chosen
from layerkit.report.text import json_text
from layerkit.rewrite import FixOptions, fix_image
from layerkit.rewrite.options import MIN_LIMIT
from layerkit.schemas import document
from layerkit.state import State


@click.command()
@click.argument("image")
@click.argument("reference", required=False)
@click.option(
    "--app",
    metavar="SLUG",
    help=f"Push to {REPLICATED.hosts[0]}/SLUG/NAME:TAG, with the image's own name and tag.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be done and what is there already; push nothing.")
@rate_option
@profile_option
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
    rate: float | None,
    profile_name: str | None,
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
    if rate is not None and not dry_run:
        raise UsageError("--rate is for --dry-run")
    target = _given(reference, app)
    connect = connector(connection, progress)
    source = opened(image, connection, progress, splitting.platforms, connect)
    target = target or _own(source, app)
    profile = profile_for_target(profile_name, target)
    if profile.note:
        progress.note(f"{profile.title}: {profile.note}")
    state = remembered(progress)
    if upload.forget:
        state.forget(target.registry)
    options = _as_learned(fixing.fix_options(splitting, profile, None), splitting, state, target)
    client = connect(target.registry)
    if dry_run:
        _dry_run(source, target, options, client, rate, as_json, progress)
        return
    client.contact()
    reuse = Reuse(client, state, progress=progress)
    known, repositories = reusable(client, target, upload.reuse_from, reuse)
    options = replace(options, known=known)
    push = open_push(target, profile, connect, upload, jobs, progress, repositories, may_split=True)
    with telling(push, progress) as destination:
        ask_to_push(destination, target, profile)
        reuse.sending_rate = lambda: destination.sending_rate
        save = fixing.saving(splitting, source, progress)
        done = deliver(source, options, destination, progress=progress, before_name=save)
        # Every part was decoded from the very bytes that were published.
        state.prove({part.blob.digest: part.diff_id for change in done.fixed.changes for part in change.parts})
        fixing.tell(done.fixed, source, progress)
    if as_json:
        result = {"reference": target.at(done.digest), "digest": done.digest, **fixing.as_json(done.fixed)}
        click.echo(json_text(document("fix-and-push", result)))
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
    host = own_host(source)
    if host is None or profile_for_target(None, own := parse_reference(source.reference)).name == "generic":
        raise UsageError(
            f"{source.name}: the image is called {source.reference}, which is not at a registry that layerkit knows; say where "
            "it goes: layerkit fix-and-push IMAGE HOST/REPOSITORY:TAG"
        )
    return own


def _as_learned(options: FixOptions, splitting: Splitting, state: State, target: Reference) -> FixOptions:
    """Layers no larger than what the registry was found to commit in time, unless the user has said how large."""
    learned = remembered_blob_limit(state, target.registry)
    if learned is None or splitting.max_layer_size is not None:
        return options
    return replace(options, max_layer_size=max(MIN_LIMIT, min(learned, options.max_layer_size)))


def _dry_run(
    source: Image,
    target: Reference,
    options: FixOptions,
    client: RegistryClient,
    rate: float | None,
    as_json: bool,
    progress: Progress,
) -> None:
    """The plan: every layer of the result, what it holds, and whether it is there."""
    fixed = fix_image(source, options, progress=progress)
    there = functools.cache(lambda digest: client.has_blob(target.repository, digest))
    platforms = chosen(source, options.platforms)
    planned = planned_of(platforms, fixed, options.max_layer_size, progress, there=there, rate=rate)
    if as_json:
        blobs: dict[Digest, Descriptor] = {}
        for found in fixed.image.platforms():
            blobs.update((blob.digest, blob) for blob in (found.manifest.config, *found.manifest.layers))
        rows = [
            {"digest": digest, "size": blob.size, "media_type": blob.media_type, "there": there(digest)}
            for digest, blob in blobs.items()
        ]
        plan = {
            "reference": target.at(fixed.image.root.digest),
            "blobs": rows,
            "planned": [planned_document(one) for one in planned],
            **fixing.as_json(fixed),
        }
        click.echo(json_text(document("dry-run", plan)))
        return
    click.echo(f"would push {target}\n@{fixed.image.root.digest}")
    print_plan(planned)
