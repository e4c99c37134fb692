"""The library's log lines, for a Python function."""
from __future__ import annotations

import atexit
import ctypes as c
import itertools
import threading
import weakref
from typing import Any, Callable, Dict, Optional

from . import _native
from ._types import LogLevel, _check

_END_S = 5.0
"""Closing ends every call within 2 s."""
Log = Callable[[int, str], object]
"""Gets the level, a LogLevel, and one line."""

_functions: Dict[int, Log] = {}
"""By the number that the library hands back as user data, until it says that it will not call any more."""
_gone = threading.Condition()
"""Told whenever the library has let go of one."""
_numbers = itertools.count(1)
_handles: weakref.WeakSet[Any] = weakref.WeakSet()
"""Those that may log: clients, contexts and monitors."""


def _on_line(number: int, level: int, text: bytes) -> None:
    function: Optional[Log] = _functions.get(number)
    if function is not None:
        function(LogLevel(level), text.decode(errors="replace"))


def _on_free(number: int) -> None:
    with _gone:
        _functions.pop(number, None)
        _gone.notify_all()


_on_line_c, _on_free_c = _native.LOG_FN(_on_line), _native.FREE_FN(_on_free)
"""Kept as long as the module: the library may call them until it has let go of every number."""


def set_log(options: Optional[int], level: int, function: Log) -> None:
    """Has the options' clients call the function."""
    number = next(_numbers)
    _functions[number] = function
    # Whether this succeeds or not, the library frees the number.
    _check(_native.library.oe_options_set_log(options, level, _on_line_c, number, _on_free_c), "log_level")


def close_at_exit(handle: Any) -> None:
    """A thread that comes into Python when Python is gone is ended there and then, and with it, as it is in the library, the
    whole process. So what logs ends before, and with it the calls that other threads have in flight."""
    _handles.add(handle)


@atexit.register
def _end() -> None:
    for handle in list(_handles):
        handle.close()
    with _gone:  # after which the library calls nothing any more
        _gone.wait_for(lambda: not _functions, _END_S)
