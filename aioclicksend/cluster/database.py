"""Connections to PostgreSQL: few, reused, and replaced when the server went away.

No background tasks: a connection is made when one is needed, so an error has its cause, and nothing
has to be closed before a loop ends. What is run here must be repeatable: if the connection breaks
while a transaction commits, it is unknown whether it did, and it is run again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, TypeVar

import anyio
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from ..errors import ConfigurationError

log: logging.Logger = logging.getLogger("aioclicksend")

T = TypeVar("T")
Connection: TypeAlias = psycopg.AsyncConnection[TupleRow]

OLDEST_SERVER = 130000
SECRETS = ("password", "sslpassword")

_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,47}")
_CONNECTIONS = 8
PATIENCE = 10.0
"""Seconds for which work is tried again while the server cannot be reached."""
_STATEMENT = 60.0
"""Seconds after which a transaction that does not end is taken for a broken connection."""

# A server that went away without a word is noticed within about ten seconds, not two hours.
_NETWORK = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "aioclicksend",
}

# The server ends such sessions when it stops, is short of memory or finds a deadlock: run again.
_TRANSIENT = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.SerializationFailure,
    TimeoutError,
)


class DatabaseUnreachableError(ConfigurationError):
    """The database of a cluster does not answer: nothing may be sent until it does."""


class Database:
    """The connections of one process to one schema of one database.

    Args:
        url: ``postgresql://…`` or the ``name=value`` pairs of libpq; what it leaves out comes from
            ``PGHOST``, ``PGPASSWORD``, the pgpass file and so on.
        schema: the schema of the tables.

    Raises:
        ConfigurationError: the URL or the name of the schema cannot be read.

    """

    def __init__(self, url: str, schema: str) -> None:
        if not _SCHEMA_NAME.fullmatch(schema):
            raise ConfigurationError(
                "schema: must begin with a letter and hold only a-z, 0-9 and _, at most 48"
            )
        given = parse_url(url)
        self.schema = schema
        self.conninfo: str = self.conninfo_for(given, schema)
        # Hidden in every error: libpq repeats what it was given.
        self._secrets = [str(given[name]) for name in SECRETS if given.get(name)]
        self._idle: list[Connection] = []
        self._is_away = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._room: asyncio.Semaphore

    async def run(
        self,
        work: Callable[[Connection], Awaitable[T]],
        *,
        patience: float = PATIENCE,
        in_transaction: bool = True,
    ) -> T:
        """Run work in one transaction and return its result, again while the server is away.

        Args:
            work: gets a connection inside a transaction; must be repeatable.
            patience: seconds for which it is tried again.
            in_transaction: False if it is a single statement, which is a transaction by itself.

        Raises:
            DatabaseUnreachableError: the server cannot be reached.
            ConfigurationError: the schema is missing, or the role may not use it.

        """
        give_up_at = time.monotonic() + patience
        pause = 0.05
        while True:
            try:
                async with self.connection() as connection:
                    # One statement is a transaction by itself, two round trips shorter.
                    if not in_transaction:
                        result = await work(connection)
                    else:
                        async with connection.transaction():
                            result = await work(connection)
                    self._is_away = False
                    return result
            except _TRANSIENT as error:
                if time.monotonic() + pause >= give_up_at:
                    raise self.unreachable(error) from None
                self._note_absence(error)
            # Neither of these goes away by waiting, unlike a server that restarts.
            except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                raise self.missing_schema() from None
            except psycopg.errors.InsufficientPrivilege:
                raise ConfigurationError(
                    f'the database role may not use the schema "{self.schema}": see the '
                    "privileges in docs/hosts.md"
                ) from None
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection in autocommit mode, new or used."""
        self._enter_loop()
        async with self._room:
            connection = self._idle.pop() if self._idle else await self.connect()
            try:
                # A server that vanished in the middle of a statement never answers it.
                async with asyncio.timeout(_STATEMENT):
                    yield connection
            except psycopg.OperationalError:
                # The server has stopped, and with it the others.
                await connection.close()
                await self.close()
                raise
            except BaseException:
                await connection.close()
                raise
            if connection.closed:
                return
            # Only after success: the state of any other one is unknown.
            self._idle.append(connection)

    async def connect(self) -> Connection:
        """Return a new connection, in autocommit mode, whose names are those of the schema.

        Raises:
            ConfigurationError: the server is too old, or the credentials are refused.

        """
        connecting = asyncio.ensure_future(
            # Autocommit: no transaction, and no lock, stays open while a process thinks.
            psycopg.AsyncConnection.connect(self.conninfo, autocommit=True)
        )
        try:
            connection: Connection = await asyncio.shield(connecting)
        except asyncio.CancelledError:
            # Cancelled half-way, psycopg would leave the connection open.
            with anyio.CancelScope(shield=True):
                with contextlib.suppress(psycopg.Error):
                    await (await connecting).close()
            raise
        except psycopg.OperationalError as error:
            if _is_refusal(str(error)):
                raise ConfigurationError(
                    f"PostgreSQL refuses the connection: {self.clean(error)}"
                ) from None
            raise
        version = connection.info.server_version
        if version < OLDEST_SERVER:
            await connection.close()
            raise ConfigurationError(
                f"the server is PostgreSQL {version // 10000}, too old: 13 or newer is needed"
            )
        return connection

    async def close(self) -> None:
        """Close the connections that are not in use; later work makes new ones."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()

    def _note_absence(self, error: BaseException) -> None:
        """Log once for each absence of the server."""
        if not self._is_away and isinstance(error, psycopg.OperationalError):
            self._is_away = True
            log.warning("%s; nothing is sent until it can", self.unreachable(error))

    @staticmethod
    def conninfo_for(given: dict[str, Any], schema: str) -> str:
        """Return the parameters of a connection whose names are those of a schema."""
        # A plan made while a table was empty would be kept when it has a million rows.
        # A process that stands still inside a transaction must not hold up the others for long.
        ours = (
            f"-c search_path={schema},pg_temp -c plan_cache_mode=force_custom_plan "
            "-c idle_in_transaction_session_timeout=5s"
        )
        options = f"{given.get('options') or ''} {ours}".strip()
        merged: dict[str, Any] = _NETWORK | given | {"options": options}
        return make_conninfo(**merged)

    def unreachable(self, error: BaseException) -> DatabaseUnreachableError:
        """Return an error that says why the database cannot be used; it holds no password."""
        return DatabaseUnreachableError(
            f"the database of the cluster cannot be reached: {self.clean(error)}"
        )

    def missing_schema(self) -> ConfigurationError:
        """Return the error of a database without our tables."""
        return ConfigurationError(
            f'the database has no schema "{self.schema}" of aioclicksend: create it with '
            "aioclicksend cluster migrate"
        )

    def clean(self, error: BaseException) -> str:
        """Return the first line of a database error without passwords and control characters."""
        text = str(error).strip() or type(error).__name__
        for secret in self._secrets:
            text = text.replace(secret, "***")
        line = text.splitlines()[0]
        return "".join(char if char.isprintable() else "?" for char in line)[:300]

    def _enter_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # Connections belong to the loop they were made in; those of an ended one are gone.
            self._loop, self._idle = loop, []
            self._room = asyncio.Semaphore(_CONNECTIONS)

    def __repr__(self) -> str:
        return f"Database(schema={self.schema!r})"


def parse_url(url: str) -> dict[str, Any]:
    """Return the parameters of a URL of a database, or of libpq's ``name=value`` pairs.

    Raises:
        ConfigurationError: it cannot be read; the text does not repeat it.

    """
    shape = ConfigurationError(
        "the URL of the database must look like postgresql://user@host:5432/name"
    )
    if not url.strip() or not url.isprintable():
        raise shape
    if "://" in url and not url.startswith(("postgresql://", "postgres://")):
        raise shape
    try:
        given = dict(conninfo_to_dict(url))
    except psycopg.ProgrammingError:
        raise shape from None
    if not re.fullmatch(r"[0-9,]*", str(given.get("port", ""))):
        raise shape
    return given


def holds_password(url: str) -> bool:
    """Whether a URL, given where others can read it, holds a password that is not empty."""
    given = parse_url(url)
    return any(given.get(name) for name in SECRETS)


def _is_refusal(text: str) -> bool:
    """Whether trying again cannot help; libpq gives no code for errors while connecting."""
    return (
        any(
            words in text
            for words in (
                "password authentication failed",
                "no password supplied",
                "no pg_hba.conf entry",
                "does not exist",
                "not permitted to log in",
                "authentication failed",
            )
        )
        and "socket" not in text.rsplit("failed:", maxsplit=1)[-1]
    )
