"""`aioclicksend account`."""

from __future__ import annotations

from cyclopts import App

from .output import PLAIN, Column, Output

app: App = App("account", help="Show the account: balance, currency, country.")

_COLUMNS = (
    Column("user name", "username"),
    Column("email", "user_email"),
    Column("balance", "balance"),
    Column("currency", "currency"),
    Column("country", "country"),
    Column("time zone", "timezone"),
    Column("active", "active"),
)


@app.default
def account(*, out: Output = PLAIN) -> None:
    """Show the account: balance, currency, country. API keys that come with it are left out."""
    found = out.ask(lambda client: client.account.get())
    if found.subaccount is not None:
        found.subaccount.api_key = None
    out.one(found, _COLUMNS)
