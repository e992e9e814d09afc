"""The secrets of `webhook serve` and `receipts install`: from the environment or a file."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from ..errors import ConfigurationError

VARIABLE = "AIOCLICKSEND_WEBHOOK_SECRET"


def file_of(store: Path) -> Path:
    """Return the file that holds the secrets of a store, one a line, the newest first."""
    return store.with_name(store.name + ".secret")


def secrets_of(store: Path | None) -> list[str]:
    """Return the secrets, the one to install first.

    Never from the command line, where other users of the machine see it.

    Raises:
        ConfigurationError: there is none.

    """
    known = os.environ.get(VARIABLE, "").replace(",", " ").split()
    if not known and store is not None:
        with suppress(FileNotFoundError):
            known = file_of(store).read_text().split()
    if not known:
        where = "" if store is None else f", nor in {file_of(store)}"
        raise ConfigurationError(
            f"there is no secret in {VARIABLE}{where}: start `aioclicksend webhook serve` once "
            "with --store, which makes one"
        )
    return known


def make_secret(store: Path) -> None:
    """Write a new secret beside a store, unless there is one or the environment has one."""
    if os.environ.get(VARIABLE):
        return
    with suppress(FileExistsError):
        file = os.open(file_of(store), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(file, "w") as writer:
            writer.write(secrets.token_urlsafe(24) + "\n")
