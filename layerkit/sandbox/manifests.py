"""How manifests come in and out (distribution-spec, "Pushing Manifests"), and what of them is refused."""

from layerkit.errors import ImageError, UsageError
from layerkit.image.digest import is_digest, sha256
from layerkit.image.manifest import Descriptor, Index, Manifest, parse_document
from layerkit.image.media_types import is_foreign_layer, is_image_config
from layerkit.image.reference import check_tag
from layerkit.image.referrers import Kind, referrer
from layerkit.sandbox.exchange import Answer, Exchange, Refusal
from layerkit.sandbox.limits import Limits
from layerkit.sandbox.store import Store
from layerkit.sandbox.uploads import digest_in


class Manifests:
    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits

    def answer(self, exchange: Exchange, name: str, reference: str) -> Answer:
        """Raises Refusal, EdgeTimeout, BrokenBody."""
        if exchange.method == "PUT":
            return self._put(exchange, name, reference)
        if exchange.method == "DELETE":
            check_deletion(self._limits)
            if not self._store.delete_manifest(name, digest_in(reference)):
                raise Refusal(404, "MANIFEST_UNKNOWN", f"{reference} is not in {name}")
            return Answer(202)
        if exchange.method not in ("GET", "HEAD"):
            raise Refusal(405, "UNSUPPORTED", "GET, HEAD, PUT or DELETE here")
        found = self._store.manifest(name, reference)
        if found is None:
            raise Refusal(404, "MANIFEST_UNKNOWN", f"{reference} is not in {name}")
        raw, media_type, digest = found
        return Answer(200, {"Content-Type": media_type, "Docker-Content-Digest": digest}, raw)

    def _put(self, exchange: Exchange, name: str, reference: str) -> Answer:
        raw = exchange.read(self._limits.max_manifest)
        digest = sha256(raw)
        tag = None
        if is_digest(reference):
            if reference != digest:
                raise Refusal(400, "DIGEST_INVALID", f"expected {reference}, found {digest}")
        else:
            tag = reference
            try:
                check_tag(tag, tag)
            except UsageError as error:
                raise Refusal(400, "TAG_INVALID", str(error)) from None
        declared = (exchange.headers.get("Content-Type") or "").partition(";")[0].strip()
        try:
            document = parse_document(raw, "manifest", declared)
        except ImageError as error:
            raise Refusal(400, "MANIFEST_INVALID", str(error)) from None
        if declared and document.media_type != declared:
            raise Refusal(400, "MANIFEST_INVALID", f"Content-Type {declared}, mediaType {document.media_type}")
        self._check_kind(document)
        self._check_parts(name, document)
        self._store.put_manifest(name, digest, raw, document.media_type, tag)
        headers = {"Location": f"/v2/{name}/manifests/{reference}", "Docker-Content-Digest": digest}
        subject = document.fields.get("subject")
        if isinstance(subject, dict):
            headers["OCI-Subject"] = str(subject.get("digest", ""))
        return Answer(201, headers)

    def _check_kind(self, document: Manifest | Index) -> None:
        """Raises Refusal for what this registry doesn't take, whatever it consists of."""
        if isinstance(document, Manifest):
            attested = _is_attestation(document.descriptor(), document)
            if self._limits.max_layers is not None and len(document.layers) > self._limits.max_layers:
                message = "Invalid parameter at 'ImageManifest' failed to satisfy constraint:"
                raise Refusal(405, "UNSUPPORTED", f"{message} 'Limit on number of layers per image exceeded'")
            bare = document.artifact_type or not is_image_config(document.config.media_type) or "subject" in document.fields
            if bare and not self._limits.artifacts:
                raise Refusal(400, "MANIFEST_INVALID", "manifests that aren't images are not supported by this registry")
        else:
            attested = any(map(_is_attestation, document.entries))
        if attested and not self._limits.attestations:
            raise Refusal(400, "MANIFEST_INVALID", "attestations are not supported by this registry")

    def _check_parts(self, name: str, document: Manifest | Index) -> None:
        parts: list[Descriptor]
        if isinstance(document, Manifest):
            parts = [document.config, *(layer for layer in document.layers if not is_foreign_layer(layer.media_type))]
        else:
            parts = list(document.entries)
        for part in parts:
            if not self._store.has(name, part.digest):
                raise Refusal(400, "MANIFEST_BLOB_UNKNOWN", f"{part.digest} is not in {name}")


def _is_attestation(descriptor: Descriptor, document: Manifest | None = None) -> bool:
    found = referrer(descriptor, document)
    return found is not None and found.kind is Kind.ATTESTATION


def check_deletion(limits: Limits) -> None:
    """Raises Refusal where nothing can be deleted."""
    if not limits.deletion:
        raise Refusal(405, "UNSUPPORTED", "nothing can be deleted here")
