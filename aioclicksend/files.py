"""Files that are read whole, and files that only their owner may read."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading.

    Raises:
        OSError: it cannot be read, or it is a pipe or a device, which could block forever or have
            no end.

    """
    # By `open`, so that the file knows its name.
    return open(path, "rb", opener=_open)


def make_private(path: Path) -> None:
    """Create a file unless it exists, and let only its owner read it.

    Raises:
        OSError: it cannot be created, or it is a pipe or a device: the mode of `/dev/null` is
            nothing to change.

    """
    descriptor = _open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _open(path: str | Path, flags: int) -> int:
    # Without waiting: to open a pipe waits until something opens its other end.
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o600)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "it is no regular file", str(path))
