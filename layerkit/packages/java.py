"""Java's archives. In: a path. Out: the name and version that the archive is called by. Archives aren't opened."""

from layerkit.packages.package import Installed

ENDINGS = (b".jar", b".war", b".ear")


def package_of(path: bytes) -> Installed | None:
    """`guava-31.1-jre.jar` is guava in version 31.1-jre; `log4j-1.2-api-2.17.1.jar` is log4j-1.2-api. The version begins with the
    last part that begins with a digit and comes after one that doesn't."""
    if not path.endswith(ENDINGS):
        return None
    parts = path[path.rfind(b"/") + 1 : path.rfind(b".")].split(b"-")
    for number in range(len(parts) - 1, 0, -1):
        if parts[number][:1].isdigit() and not parts[number - 1][:1].isdigit() and parts[0]:
            return Installed("java", b"-".join(parts[:number]), b"-".join(parts[number:]), path)
    return None
