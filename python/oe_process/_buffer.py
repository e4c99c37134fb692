"""Pictures in whatever holds bytes, handed to the library where they lie."""
from __future__ import annotations

import contextlib
import ctypes as c
from typing import TYPE_CHECKING, Iterator, Tuple, Union

if TYPE_CHECKING:
    from typing_extensions import Buffer

_Place = Union[bytes, int, None]
"""What ctypes takes for a pointer."""


class _PyBuffer(c.Structure):
    """Python's own Py_buffer. memoryview gives no address, and c_char.from_buffer() takes nothing that is read-only."""

    _fields_ = [
        ("buf", c.c_void_p), ("obj", c.c_void_p), ("len", c.c_ssize_t), ("itemsize", c.c_ssize_t), ("readonly", c.c_int),
        ("ndim", c.c_int), ("format", c.c_void_p), ("shape", c.c_void_p), ("strides", c.c_void_p),
        ("suboffsets", c.c_void_p), ("internal", c.c_void_p),
    ]


_python = getattr(c, "pythonapi", None)  # CPython's; another Python copies
if _python is not None:
    _get, _release = _python.PyObject_GetBuffer, _python.PyBuffer_Release
    _get.restype, _get.argtypes = c.c_int, [c.py_object, c.POINTER(_PyBuffer), c.c_int]
    _release.restype, _release.argtypes = None, [c.POINTER(_PyBuffer)]
_SIMPLE = 0


@contextlib.contextmanager
def held(data: Buffer) -> Iterator[Tuple[_Place, int]]:
    """Where the bytes are and how many, for the time of one call; nobody can resize or free them meanwhile. They are copied
    only where they do not lie in one piece. TypeError for what holds no bytes."""
    if isinstance(data, bytes):
        yield data, len(data)
        return
    with memoryview(data) as view:
        if _python is None or not view.c_contiguous:
            copy = view.tobytes()
            yield copy, len(copy)
            return
        # Let go of by hand: an exception keeps the frames that it went through, and what they hold.
        buffer = _PyBuffer()
        _get(view, c.byref(buffer), _SIMPLE)
        try:
            yield buffer.buf, buffer.len
        finally:
            _release(c.byref(buffer))
