"""Creating, checking and upgrading the tables of a cluster."""

from __future__ import annotations

from importlib.resources import files

from psycopg import sql

from ..errors import ConfigurationError
from .database import Connection, Database

VERSION = 2

_MIGRATION_LOCK = 0x61633173  # any number, the same in every version

_STEPS = ("schema.sql", "schema_2.sql")
"""What leads from each version to the next."""


async def migrate(database: Database) -> int:
    """Create the tables, or bring those of an older version up to date; return the version.

    One transaction, safe to run again and from several hosts at once.

    Raises:
        ConfigurationError: they were made by a newer version, or the role may not create them.

    """

    async def work(connection: Connection) -> int:
        await connection.execute("select pg_advisory_xact_lock(%s)", [_MIGRATION_LOCK])
        name = sql.Identifier(database.schema)
        await connection.execute(sql.SQL("create schema if not exists {}").format(name))
        found = await _version(connection)
        _refuse_newer(database, found)
        for step in _STEPS[found:]:
            text = files("aioclicksend.cluster").joinpath(step).read_text("utf-8")
            # psycopg sends a text without parameters as it is, several statements at once.
            await connection.execute(text.replace("{schema}", name.as_string(connection)).encode())
        await connection.execute(
            "insert into meta values ('version', %s) on conflict (name) do update set "
            "value = excluded.value",
            [str(VERSION)],
        )
        return VERSION

    return await database.run(work)


async def check(connection: Connection, database: Database) -> None:
    """Make sure that the tables are those of this version.

    Raises:
        ConfigurationError: they are missing, older or newer; the text says what to do.

    """
    found = await _version(connection)
    _refuse_newer(database, found)
    if not found:
        raise database.missing_schema()
    if found < VERSION:
        raise ConfigurationError(
            f'the schema "{database.schema}" has version {found}, this aioclicksend needs '
            f"{VERSION}: run aioclicksend cluster migrate"
        )


async def _version(connection: Connection) -> int:
    row = await (await connection.execute("select to_regclass('meta') is not null")).fetchone()
    if not (row and row[0]):
        return 0
    found = await connection.execute("select value from meta where name = 'version'")
    row = await found.fetchone()
    return int(row[0]) if row else 0


def _refuse_newer(database: Database, found: int) -> None:
    if found > VERSION:
        raise ConfigurationError(
            f'the schema "{database.schema}" has version {found}, made by a newer aioclicksend; '
            f"this one knows {VERSION}: upgrade it"
        )
