"""One account, any number of processes and hosts: what they share."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self

from ..client import ClickSend
from ..config import RateLimit
from ..errors import ConfigurationError
from . import jobs
from . import schema as tables
from .database import PATIENCE, Connection, Database
from .journal import PostgresJournal
from .pace import ClusterPace

if TYPE_CHECKING:
    from .inbox import PostgresInbox

_ACCOUNT_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,64}")


class Cluster:
    """The journals, the pace and the inbox that processes of one ClickSend account share.

        cluster = Cluster("postgresql://db/app", account="main")
        client = ClickSend(pace=cluster.pace(RateLimit(10, 1)))
        async with cluster, client, client.sms.bulk(journal=cluster.journal("spring")) as bulk:
            report = await bulk.run(messages)

    Connections are made when they are needed; `close`, or the end of its block, closes them.

    Args:
        url: ``postgresql://…``, or the ``name=value`` pairs of libpq. Give a password by
            ``PGPASSWORD`` or a pgpass file rather than in here.
        account: names the ClickSend account, whose rate limit, keys and opt-outs are shared.
        schema: the PostgreSQL schema of the tables.

    Raises:
        ConfigurationError: one of these cannot be used. Its text holds no part of the URL.

    """

    def __init__(self, url: str, *, account: str = "main", schema: str = "clicksend") -> None:
        if not _ACCOUNT_NAME.fullmatch(account):
            raise ConfigurationError("account: 1 to 64 letters, digits or one of _ . @ -")
        self.account = account
        self.database: Database = Database(url, schema)
        self._is_checked = False

    @asynccontextmanager
    async def closing(self) -> AsyncIterator[Self]:
        """Close the connections at the end of a block that does not need the tables to exist."""
        try:
            yield self
        finally:
            await self.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self, *, patience: float = PATIENCE) -> None:
        """Make sure once that the database and its tables can be used; called where needed.

        Args:
            patience: seconds for which a server that cannot be reached is waited for.

        Raises:
            ConfigurationError: they cannot; the text says why and what to do.

        """
        if self._is_checked:
            return

        async def work(connection: Connection) -> None:
            await tables.check(connection, self.database)
            found = await connection.execute(
                "select 1 from account where name = %s", [self.account]
            )
            if await found.fetchone() is None:
                raise self.missing_account()

        await self.database.run(work, patience=patience)
        self._is_checked = True

    async def close(self) -> None:
        """Close the connections that are not in use."""
        await self.database.close()

    async def migrate(self) -> None:
        """Create or upgrade the tables and make the account known. Safe to run again.

        Raises:
            ConfigurationError: the role may not, or the tables are of a newer version.

        """
        await tables.migrate(self.database)

        async def work(connection: Connection) -> None:
            await connection.execute(
                "insert into account (name) values (%s) on conflict do nothing", [self.account]
            )

        await self.database.run(work)
        await jobs.migrate(self.database)
        self._is_checked = True

    def journal(self, name: str) -> PostgresJournal:
        """Return a journal, new or not; each process that sends opens its own."""
        return PostgresJournal(self, name)

    def pace(self, limit: RateLimit | None = None) -> ClusterPace:
        """Return the pace of the account for a client: ``ClickSend(pace=cluster.pace())``.

        Args:
            limit: requests in any window, by all processes together. Where processes differ, the
                slowest holds.

        """
        return ClusterPace(self, limit or RateLimit())

    def inbox(self) -> PostgresInbox:
        """Return the store of pushes, deliveries and opt-outs, as in ``Webhook(store=...)``."""
        from .inbox import PostgresInbox  # noqa: PLC0415 - most senders receive nothing

        return PostgresInbox(self)

    async def bind(self, client: ClickSend) -> None:
        """Make sure that a client uses the ClickSend account that this one was first used with.

        Raises:
            ConfigurationError: its credentials are those of another account.
            ClickSendError: the account could not be asked for.

        """
        await self.open()
        user = str((await client.account.get()).user_id)

        async def work(connection: Connection) -> str:
            # One statement: of two first processes with different credentials one is refused.
            found = await connection.execute(
                "update account set clicksend_user = coalesce(clicksend_user, %s) "
                "where name = %s returning clicksend_user",
                [user, self.account],
            )
            row = await found.fetchone()
            if row is None:
                raise self.missing_account()
            return str(row[0])

        kept = await self.database.run(work)
        if kept != user:
            raise ConfigurationError(
                f'the account "{self.account}" of this database is that of ClickSend user {kept}, '
                f"the credentials are those of user {user}: use those of the first, or --account"
            )

    def missing_account(self) -> ConfigurationError:
        """Return the error of an account that was never made known."""
        return ConfigurationError(
            f'the database knows no account "{self.account}": '
            f"run aioclicksend cluster migrate --account {self.account}"
        )

    def __repr__(self) -> str:
        return f"Cluster(account={self.account!r}, schema={self.database.schema!r})"
