"""How failed commands end: one line on stderr, as JSON with `--json`, and an exit code."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple, get_args

import cyclopts

from ..errors import (
    ClickSendError,
    ConfigurationError,
    NotSentError,
    Unauthorized,
    UnknownOutcomeError,
)
from ..printable import printable

_REFS = 5
"""Refs that are named before the rest is only counted."""


class Exit(IntEnum):
    """Exit codes."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    UNKNOWN = 3
    CONFIGURATION = 4
    INTERRUPTED = 130


class Declined(Exception):
    """The question was answered with no."""


class Refused(Exception):
    """Nothing was done, for a reason the user can change."""


class Changed(Exception):
    """What was agreed to is not what would be sent now; nothing was sent."""


class Failure(NamedTuple):
    """Exit code, line on stderr, and a stable code for programs."""

    code: int
    text: str
    name: str


def explain(error: BaseException, argv: Sequence[str]) -> Failure | None:
    """Return how a command ends that raised an error; None if the error is a bug."""
    kind = next((kind for kind in _KINDS if isinstance(error, kind)), None)
    if kind is None:
        return None
    code, name = _KINDS[kind]
    match error:
        case KeyboardInterrupt():
            text = "interrupted"
        case Declined():
            text = "nothing was done"
        case cyclopts.CycloptsError():
            text = f"{_usage(error, argv)} (see --help)"
        case Unauthorized():
            text = f"{error} (check the credentials in the environment)"
        case UnknownOutcomeError():
            text = f"{error}{how_to_look_up(error.refs)}"
        case _:
            text = str(error)
    return Failure(code, text, name)


_KINDS: dict[type[BaseException], tuple[Exit, str]] = {
    KeyboardInterrupt: (Exit.INTERRUPTED, "interrupted"),
    Declined: (Exit.REFUSED, "declined"),
    Refused: (Exit.REFUSED, "refused"),
    Changed: (Exit.CONFIGURATION, "changed"),
    cyclopts.CycloptsError: (Exit.USAGE, "usage"),
    ConfigurationError: (Exit.CONFIGURATION, "configuration"),
    Unauthorized: (Exit.CONFIGURATION, "unauthorized"),
    UnknownOutcomeError: (Exit.UNKNOWN, "unknown_outcome"),
    NotSentError: (Exit.REFUSED, "not_sent"),
    ClickSendError: (Exit.REFUSED, "refused_by_server"),
    OSError: (Exit.USAGE, "usage"),
    ValueError: (Exit.USAGE, "usage"),
}
"""How errors end a command; the first kind that an error is of counts."""


def print_failure(failure: Failure, *, as_json: bool) -> None:
    """Print a failure on stderr, for people or for programs."""
    if as_json:
        line = json.dumps({"error": {"code": failure.name, "message": failure.text}})
    else:
        line = printable(f"aioclicksend: {failure.text}", limit=10_000)
    print(line, file=sys.stderr)  # noqa: T201


def silence_stdout() -> None:
    """Close a pipe whose reader has gone, so that Python prints no error at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def how_to_look_up(refs: Sequence[str]) -> str:
    """Return how to look up messages whose outcome is unknown."""
    if not refs:
        return "; look before you send again"
    more = f" and {len(refs) - _REFS} more" if len(refs) > _REFS else ""
    options = " ".join(f"--ref {shlex.quote(ref)}" for ref in refs[:_REFS])
    return (
        f"; before you send again, look it up: aioclicksend sms history {options}{more} "
        "(the history may lag: what it does not show may still have been sent)"
    )


def _usage(error: cyclopts.CycloptsError, argv: Sequence[str]) -> str:
    """Return what is wrong with a command line without the numbers and texts on it."""
    match error:
        case cyclopts.UnusedCliTokensError():
            # The usual cause; the arguments themselves may be a text to somebody.
            return "too many arguments: a text with blanks needs quotes"
        case cyclopts.CoercionError(msg=None, argument=argument, target_type=kind):
            return f"{_name_of(argument)}: must be {_form_of(kind)}"
        case cyclopts.ValidationError(argument=argument) if error.exception_message:
            text = error.exception_message.rstrip(".")
            return f"{_name_of(argument)}: {text[0].lower()}{text[1:]}"
    text = " ".join(str(error).split()).rstrip(".")
    # What was typed may be a number, a text or a key, and error lines end up in logs.
    for typed in argv:
        name, _, value = typed.partition("=")
        for part in (value, name):
            if part and not _is_word(part):
                text = text.replace(part, "…")
    return text


_is_word = re.compile(r"-{0,2}[A-Za-z][A-Za-z-]*").fullmatch


def _name_of(argument: cyclopts.Argument | None) -> str:
    if argument is None:
        return "an argument"
    return argument.name if argument.name.startswith("--") else argument.name.upper()


def _form_of(kind: object) -> str:
    if choices := get_args(kind):
        return f"one of {', '.join(map(str, choices))}"
    if kind is int:
        return "a whole number"
    return "a number" if kind is float else "of another form"
