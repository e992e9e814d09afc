"""What a command that failed ends with: one clear line on stderr, and an exit code."""

from __future__ import annotations

import contextlib
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
    """Somebody was asked and said no."""


class Verdict(NamedTuple):
    """What to say and how to exit."""

    code: int
    text: str


def explain(error: BaseException, argv: Sequence[str]) -> Verdict | None:
    """Return what an error means to who typed the command; None if it is a bug of ours."""
    match error:
        case KeyboardInterrupt():
            return Verdict(Exit.INTERRUPTED, "interrupted")
        case Declined():
            return Verdict(Exit.REFUSED, "nothing was done")
        case cyclopts.CycloptsError():
            return Verdict(Exit.USAGE, f"{_usage(error, argv)} (see --help)")
        case ConfigurationError():
            return Verdict(Exit.CONFIGURATION, str(error))
        case Unauthorized():
            hint = "check the credentials in the environment"
            return Verdict(Exit.CONFIGURATION, f"{error} ({hint})")
        case UnknownOutcomeError():
            return Verdict(Exit.UNKNOWN, f"{error}{how_to_look_up(error.refs)}")
        case ClickSendError():
            return Verdict(Exit.REFUSED, str(error))
        case OSError() | ValueError():
            return Verdict(Exit.USAGE, str(error))
        case _:
            return None


def silence_stdout() -> None:
    """Let go of a pipe whose reader has left, so that Python does not complain at its exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def how_to_look_up(refs: Sequence[str]) -> str:
    """Return how to find out about messages whose fate is unknown."""
    if not refs:
        return "; look before you try again"
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
            told = error.exception_message.rstrip(".")
            return f"{_name_of(argument)}: {told[0].lower()}{told[1:]}"
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
