"""Keys of image documents, as the specifications spell them and as readers written in Go take them: in any case.

In: a JSON object as somebody wrote it (`rootfS` in Microsoft's base images, `config` and `repoTags` in jib's archives). Out: the
same object with the specified keys, so that layerkit sees what docker, podman and containerd see (encoding/json: "preferring
exact matches but also accepting case-insensitive matches"). Two spellings of one key in one object are refused: which of them
counts depends on the reader, so that what is proven might not be what runs.
"""

from collections.abc import Mapping
from typing import Any

from layerkit.errors import DamagedError

Keys = Mapping[str, str]
"""The specified spelling by the folded one."""


def _keys(names: str) -> Keys:
    return {name.casefold(): name for name in names.split()}


DESCRIPTOR = _keys("mediaType digest size urls annotations data artifactType platform")
"""image-spec descriptor.md."""
PLATFORM = _keys("architecture os os.version os.features variant features")
"""image-spec image-index.md, "platform"."""
MANIFEST = _keys("schemaVersion mediaType artifactType config layers manifests subject annotations")
"""image-spec manifest.md and image-index.md; Docker image manifest version 2, schema 2."""
CONFIG = _keys("created author architecture os os.version os.features variant config rootfs history")
"""image-spec config.md."""
ROOTFS = _keys("type diff_ids")
HISTORY = _keys("created author created_by comment empty_layer")
RUN = _keys(
    "User ExposedPorts Env Entrypoint Cmd Volumes WorkingDir Labels StopSignal ArgsEscaped Memory MemorySwap CpuShares "
    "Healthcheck Hostname Domainname AttachStdin AttachStdout AttachStderr Tty OpenStdin StdinOnce Image NetworkDisabled "
    "MacAddress OnBuild StopTimeout Shell"
)
"""What a container runs with: config.md, "config", and moby's container.Config."""
ARCHIVE_ITEM = _keys("Config RepoTags Layers Parent LayerSources")
"""An entry of a docker archive's `manifest.json`."""


def specified(fields: dict[str, Any], keys: Keys, where: str) -> dict[str, Any]:
    """`fields` under the specified keys, in the same order; the very same object when it has them already. Raises DamagedError,
    naming `where`, for a key in two spellings."""
    spelled = {key: keys.get(key.casefold(), key) for key in fields}
    if all(key == name for key, name in spelled.items()):
        return fields
    found: dict[str, Any] = {}
    for key, name in spelled.items():
        if name in found:
            raise DamagedError.mismatch(where, expected=f"the key {name!r} once", found="it in two spellings")
        found[name] = fields[key]
    return found
