"""How paths are written in results."""


def shown(path: bytes) -> str:
    """From the root, `/usr/bin/env`."""
    return "/" + path.decode("utf-8", "backslashreplace").lstrip("/")
