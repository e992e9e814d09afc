"""The command line: `aioclicksend`, or `python -m aioclicksend`.

A family of commands is a module with its own `App`, listed in `FAMILIES` and imported when
one of its commands runs: `--version` and shell completion wait for neither aiohttp nor the client.
Commands print results through an `Output` and report failures by raising.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import NoReturn

try:
    import cyclopts
    import rich  # noqa: F401 - only to learn whether it is there
except ModuleNotFoundError:
    print("aioclicksend: the command line needs: pip install 'aioclicksend[cli]'", file=sys.stderr)  # noqa: T201
    sys.exit(2)

from ..version import __version__

FAMILIES = {
    "demo": ("demo:app", "Send 5,000 SMS that go nowhere, over a network that fails."),
    "sandbox": ("sandbox:app", "Run a stand-in for ClickSend on this machine, and act on it."),
    "account": ("account:app", "Show the account: balance, currency, country."),
    "sms": ("sms:app", "SMS: send, price, history, inbound, receipts, cancel."),
    "campaign": (
        "campaign:app",
        "Send a text to a list of people: plan, test, run, resume, status, report.",
    ),
    "cluster": ("cluster:app", "Several hosts, one account: migrate, retain, erase, outbox."),
    "worker": ("worker:app", "Send what a database holds, with other workers; health."),
    "receipts": ("receipts:app", "Delivery receipts: install rules, follow, report."),
    "webhook": (
        "webhook:app",
        "Take pushes of receipts and replies: serve, dead-letters, replay.",
    ),
    "lists": ("people:lists", "Contact lists: list, create, rename, delete, remove-duplicates."),
    "contacts": ("people:contacts", "Contacts of a list: list, add, update, delete, copy, move."),
    "templates": ("templates:app", "Saved texts: list, create, update, delete."),
    "connections": (
        "connections:app",
        "ClickSend accounts connected to Maton; needs MATON_API_KEY.",
    ),
    "mcp": ("mcp:app", "Serve an AI agent over stdio, within limits that no text can change."),
}
"""Each family of commands: where its `App` is, and its line in the help."""

_HELP = """\
Send SMS with ClickSend: never twice, never lost. See it without an account: aioclicksend demo

Credentials come from the environment only: CLICKSEND_USERNAME and CLICKSEND_API_KEY, or
MATON_API_KEY (and MATON_CONNECTION_ID). CLICKSEND_BASE_URL points to another host.

Exit codes: 0 all settled well, 1 refused, not sent or declined, 2 usage, 3 some outcomes are
unknown, 4 configuration, credentials or input, 130 interrupted.
"""

app: cyclopts.App = cyclopts.App(
    "aioclicksend",
    help=_HELP,
    help_format="markdown",
    version=__version__,
    version_format="plaintext",
    default_parameter=cyclopts.Parameter(negative=(), show_default=False),
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    suppress_keyboard_interrupt=False,
)


def _register_families() -> None:
    for place, (name, (target, line)) in enumerate(FAMILIES.items()):
        app.command(f"{__package__}.{target}", name=name, help=line, sort_key=place)


_register_families()
app.register_install_completion_command(help="Install completion for your shell, and exit.")


def run(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Line-buffered into pipes, too, so that readers see lines as they are printed.
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
    try:
        if list(argv) == ["--version"]:
            # cyclopts would import rich for this one line.
            print(__version__)  # noqa: T201
            return 0
        code = app(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        from .errors import silence_stdout  # noqa: PLC0415 - only commands that fail need it

        silence_stdout()
        return 128 + 13  # as for any program that SIGPIPE ends
    except (Exception, KeyboardInterrupt) as error:
        from .errors import explain, print_failure  # noqa: PLC0415

        failure = explain(error, argv)
        if failure is None:
            raise
        print_failure(failure, as_json="--json" in argv)
        return failure.code
    return code if isinstance(code, int) else 0


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its code."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


if __name__ == "__main__":
    main()
