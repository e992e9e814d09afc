"""The options of commands that work on the database of a cluster."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from ..cluster import Cluster

VARIABLE = "AIOCLICKSEND_DATABASE_URL"


@Parameter(name="*")
@dataclass(frozen=True)
class Database:
    """Where the campaigns of several hosts are kept."""

    database: Annotated[
        str | None,
        Parameter(
            help=f"postgresql://user@host/name; {VARIABLE} if absent. A password belongs in that "
            "variable, in PGPASSWORD or in a pgpass file."
        ),
    ] = None
    account: Annotated[
        str, Parameter(help="The ClickSend account, as named in the database.", show_default=True)
    ] = "main"
    schema: Annotated[str, Parameter(help="The schema of the tables.", show_default=True)] = (
        "clicksend"
    )

    @property
    def is_chosen(self) -> bool:
        """Whether the command is to work on a database: by the option, not by the environment."""
        return self.database is not None

    @property
    def is_named(self) -> bool:
        """Whether a database is named at all, by the option or by the environment."""
        return bool(self.database or os.environ.get(VARIABLE))

    def holds(self, journal: Path) -> bool:
        """Whether a positional is the name of a campaign in the database, not the path of a file.

        With the option it is; with the environment alone, unless there is such a file.
        """
        return self.is_chosen or (self.is_named and not journal.exists())

    def cluster(self) -> Cluster:
        """Return the cluster.

        Raises:
            ConfigurationError: none is named, its URL cannot be read, or a password would be
                visible to others in the list of processes.

        """
        from ..cluster import Cluster  # noqa: PLC0415 - an extra
        from ..cluster.database import holds_password  # noqa: PLC0415

        if self.database is not None and holds_password(self.database):
            raise ConfigurationError(
                "--database holds a password, which all users of this machine can read in the list "
                f"of processes: use {VARIABLE}, PGPASSWORD or a pgpass file"
            )
        url = self.database or os.environ.get(VARIABLE, "")
        if not url:
            raise ConfigurationError(f"no database: give --database, or set {VARIABLE}")
        return Cluster(url, account=self.account, schema=self.schema)


NONE = Database()
