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
    match error:
        case KeyboardInterrupt():
            return Failure(Exit.INTERRUPTED, "interrupted", "interrupted")
        case Declined():
            return Failure(Exit.REFUSED, "nothing was done", "declined")
        case Refused():
            return Failure(Exit.REFUSED, str(error), "refused")
        case Changed():
            return Failure(Exit.CONFIGURATION, str(error), "changed")
        case cyclopts.CycloptsError():
            return Failure(Exit.USAGE, f"{_usage(error, argv)} (see --help)", "usage")
        case ConfigurationError():
            return Failure(Exit.CONFIGURATION, str(error), "configuration")
        case Unauthorized():
            hint = "check the credentials in the environment"
            return Failure(Exit.CONFIGURATION, f"{error} ({hint})", "unauthorized")
        case UnknownOutcomeError():
            return Failure(Exit.UNKNOWN, f"{error}{how_to_look_up(error.refs)}", "unknown_outcome")
        case NotSentError():
            return Failure(Exit.REFUSED, str(error), "not_sent")
        case ClickSendError():
            return Failure(Exit.REFUSED, str(error), "refused_by_server")
        case OSError() | ValueError():
            return Failure(Exit.USAGE, str(error), "usage")
        case _:
            return None


def print_failure(failure: Failure, *, as_json: bool) -> None:
    """Print a failure on stderr, for people or for programs."""
    if as_json:
        line = json.dumps({"error": {"code": failure.name, "message": failure.text}})
    else:
        line = f"aioclicksend: {failure.text}"
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
            return "too many arguments: a text with blanks needs quotes"
        case cyclopts.CoercionError(msg=None, argument=argument, target_type=kind):
            return f"{_name_of(argument)}: must be {_form_of(kind)}"
        case cyclopts.ValidationError(argument=argument) if error.exception_message:
            text = error.exception_message.rstrip(".")
            return f"{_name_of(argument)}: {text[0].lower()}{text[1:]}"
    text = " ".join(str(error).split()).rstrip(".")
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
