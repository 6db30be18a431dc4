"""Is a file of ours the user's own? What others may write proves nothing, and who may read it learns where uploads go on."""

import os
import stat
from pathlib import Path


class PassedOverError(Exception):
    """Something isn't there, or isn't as it should be: why, for people."""


def check_ours(status: os.stat_result, path: Path | None) -> None:
    """Raises PassedOverError for what isn't a file or folder that only the user may write to."""
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise PassedOverError(f"{path}: it is no file")
    if status.st_uid != os.geteuid():
        raise PassedOverError(f"{path}: it belongs to another user")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PassedOverError(f"{path}: others may write to it")
