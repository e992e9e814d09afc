"""The command line: `aioclicksend`, or `python -m aioclicksend`.

A family of commands is a module with an `App` of its own, listed in `FAMILIES`. Commands say what
they found by an `Output`, and what went wrong by an exception.
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
from . import (
    account,
    campaign,
    cluster,
    connections,
    demo,
    people,
    receipts,
    sandbox,
    sms,
    templates,
    webhook,
    worker,
)
from .errors import explain, silence_stdout

FAMILIES = (
    demo.app,
    sandbox.app,
    account.app,
    sms.app,
    campaign.app,
    cluster.app,
    worker.app,
    receipts.app,
    webhook.app,
    people.lists,
    people.contacts,
    templates.app,
    connections.app,
)

_HELP = """\
Send SMS with ClickSend: never twice, never lost. See it without an account: aioclicksend demo

Credentials come from the environment only: CLICKSEND_USERNAME and CLICKSEND_API_KEY, or
MATON_API_KEY (and MATON_CONNECTION_ID). CLICKSEND_BASE_URL points to another host.

Exit codes: 0 all is well, 1 refused or not sent, 2 usage, 3 some outcomes are unknown,
4 configuration or credentials, 130 interrupted.
"""

app = cyclopts.App(
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
for place, family in enumerate(FAMILIES):
    family.sort_key = place
    app.command(family)


def run(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # By line also into a pipe: who reads along should not wait for the end.
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
    try:
        code = app(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        silence_stdout()
        return 128 + 13  # as of any program that SIGPIPE ends
    except (Exception, KeyboardInterrupt) as error:
        verdict = explain(error, argv)
        if verdict is None:
            raise
        print(f"aioclicksend: {verdict.text}", file=sys.stderr)  # noqa: T201
        return verdict.code
    return code or 0


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its code."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


if __name__ == "__main__":
    main()
