"""What each code of `check` means, for whom has no docs/checks.md at hand. A test holds the two to be the same."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Explanation:
    found: str
    why: str
    """What comes of it."""
    advice: str
    """Markdown, as the others are."""


EXPLAINED = {
    "LK001": Explanation(
        "a layer is above the target's limit", "uploads end in HTTP 524 or 413", "`layerkit fix-and-push` splits it"
    ),
    "LK002": Explanation(
        "an attestation (provenance) or SBOM is in the image or beside it",
        "the target answers HTTP 400",
        "`layerkit fix-and-push` takes it out; `--save-attestations DIR` keeps a copy",
    ),
    "LK003": Explanation(
        "an index holds a single platform",
        "targets that know no indexes refuse it",
        "`layerkit fix-and-push` pushes its manifest instead",
    ),
    "LK004": Explanation(
        "a manifest or index mixes Docker and OCI media types",
        "container engines refuse to pull it",
        "`layerkit fix-and-push` makes them one family",
    ),
    "LK005": Explanation(
        "a manifest is of a family that the target isn't known to take",
        "it may be refused, or refused by what pulls it",
        "`layerkit fix-and-push` converts it",
    ),
    "LK006": Explanation(
        "a layer's compression isn't taken (zstd, none)",
        "older engines can't unpack it",
        "`layerkit fix-and-push` compresses it anew",
    ),
    "LK007": Explanation(
        "a layer's media type says another compression than its bytes",
        "engines that believe it fail to unpack it",
        "`layerkit fix-and-push` labels it by its bytes",
    ),
    "LK008": Explanation("a blob is missing", "the push fails in the middle", "save the image again with all its layers"),
    "LK009": Explanation(
        "a blob's size isn't what its descriptor says", "the file is truncated or was altered", "save the image again"
    ),
    "LK010": Explanation(
        "more than 125 layers (or fewer, by the profile), now or once the large ones are split",
        "container engines refuse to unpack it",
        "merge layers where the image is built; a larger `--max-layer-size`",
    ),
    "LK011": Explanation(
        "layers and diff_ids don't match in number", "container engines refuse to unpack it", "build or save the image again"
    ),
    "LK012": Explanation("layers and history don't match in number", "some engines refuse it", "build the image again"),
    "LK013": Explanation(
        "a layer isn't an ordinary one (foreign, encrypted)", "it can't be split, and may not be taken", "see what made it"
    ),
    "LK014": Explanation(
        "an index lists a platform that isn't in the file",
        "the registry refuses the index",
        "`layerkit fix-and-push` leaves it out; save all platforms to have it",
    ),
    "LK015": Explanation(
        "there is nothing to run", "only attestations or other artifacts are in the file", "save the image with its layers"
    ),
    "LK016": Explanation(
        "a signature, a SOCI index or something else about the image is in it or beside it",
        "it is about a digest or about layers that change; clients take it for a platform",
        "`layerkit fix-and-push` takes it out; sign the image again",
    ),
    "LK017": Explanation("a manifest is above the target's limit", "it is refused", "fewer layers, fewer annotations"),
    "LK018": Explanation(
        "a file alone is above the limit for a layer: of an uncompressed layer before it is "
        "compressed; of a compressed one, with `--deep`, by what it "
        "takes there",
        "a file can't be split, and `fix` exits with 4 unless it compresses well",
        "a smaller file, `--allow-oversized`",
    ),
    "LK019": Explanation("an index of several platforms", "the target takes single manifests", "`--platform` chooses one"),
    "LK020": Explanation(
        "with `--deep`: content isn't what is said about it", "what is pulled would be damaged", "build or save the image again"
    ),
}
