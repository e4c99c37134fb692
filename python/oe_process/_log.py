"""The library's log lines, for a Python function."""
from __future__ import annotations

import atexit
import ctypes as c
import itertools
import weakref
from typing import Any, Callable, Dict, Optional

from . import _native
from ._types import LogLevel, _check

Log = Callable[[int, str], object]
"""Gets the level, a LogLevel, and one line."""

_functions: Dict[int, Log] = {}
"""By the number that the library hands back as user data, until it says that it will not call any more."""
_numbers = itertools.count(1)
_clients: weakref.WeakSet[Any] = weakref.WeakSet()


def _on_line(number: int, level: int, text: bytes) -> None:
    function: Optional[Log] = _functions.get(number) if _functions else None
    if function is not None:
        function(LogLevel(level), text.decode(errors="replace"))


def _on_free(number: int) -> None:
    if _functions:
        _functions.pop(number, None)


_on_line_c, _on_free_c = _native.LOG_FN(_on_line), _native.FREE_FN(_on_free)
"""Kept as long as the module: the library may call them until it has let go of every number."""


def set_log(options: Optional[int], level: int, function: Log) -> None:
    """Has the options' clients call the function."""
    number = next(_numbers)
    _functions[number] = function
    # Whether this succeeds or not, the library frees the number.
    _check(_native.library.oe_options_set_log(options, level, _on_line_c, number, _on_free_c), "log_level")


def close_at_exit(client: Any) -> None:
    """A thread of the library must not come into Python when Python is gone: clients that log end before it does."""
    if not _clients:
        atexit.register(_end)
    _clients.add(client)


def _end() -> None:
    for client in list(_clients):
        client.close()
    _functions.clear()
