"""The C ABI in ctypes' terms: structures, prototypes, and where the library is. include/oe_process.h is its manual."""
from __future__ import annotations

import ctypes as c
import os
import pathlib
import sys
from typing import Optional

NEVER = 0xFFFFFFFF
SAVED_MAX = 8193
"""A buffer of this many bytes holds every saved text."""


class _Structure(c.Structure):
    def __init__(self) -> None:
        super().__init__(struct_size=c.sizeof(self))


class Error(_Structure):
    _fields_ = [
        ("struct_size", c.c_uint32), ("status", c.c_int32), ("http_status", c.c_int32), ("retry_after_ms", c.c_uint32),
        ("error_type", c.c_char * 64), ("text", c.c_char * 256),
    ]


class Usage(_Structure):
    _fields_ = [
        ("struct_size", c.c_uint32), ("contexts", c.c_uint32), ("processed", c.c_uint64),
        ("possibly_billed", c.c_uint64), ("failed", c.c_uint64), ("creates", c.c_uint64), ("bytes_sent", c.c_uint64),
        ("bytes_received", c.c_uint64), ("latched", c.c_int32), ("reserved", c.c_uint32),
    ]


class Info(_Structure):
    _fields_ = [
        ("struct_size", c.c_uint32), ("using_fallback", c.c_int32), ("failures_in_a_row", c.c_uint32),
        ("last_quality", c.c_int32), ("age_sec", c.c_uint64), ("calls", c.c_uint64), ("last_status", c.c_int32),
        ("due_in_ms", c.c_uint32),
    ]


class Region(c.Structure):
    _fields_ = [("x", c.c_uint16), ("y", c.c_uint16), ("width", c.c_uint16), ("height", c.c_uint16)]


class PrintOptions(_Structure):
    _fields_ = [
        ("struct_size", c.c_uint32), ("warning_confidence", c.c_int32), ("pause_confidence", c.c_int32),
        ("interval_sec", c.c_uint32), ("ignore_count", c.c_uint32), ("flags", c.c_uint32), ("ignore", Region * 8),
    ]


class Result(_Structure):
    _fields_ = [
        ("struct_size", c.c_uint32), ("print_quality", c.c_int32), ("score", c.c_int32),
        ("warning_suggested", c.c_int32), ("pause_suggested", c.c_int32), ("faster_inspection_suggested", c.c_int32),
        ("minimum_interval_sec", c.c_uint32), ("recommended_interval_sec", c.c_uint32), ("next_due_ms", c.c_uint32),
        ("flags", c.c_uint32), ("latency_ms", c.c_uint32), ("frame_age_ms", c.c_uint32), ("place", Region),
    ]


class Event(_Structure):
    _fields_ = [
        ("struct_size", c.c_uint32), ("kind", c.c_int32), ("tag", c.c_uint64), ("status", c.c_int32),
        ("age_ms", c.c_uint32),
    ]


_H, _HP, _S, _I, _U = c.c_void_p, c.POINTER(c.c_void_p), c.c_char_p, c.c_int32, c.c_uint32
_UP, _Z, _ZP, _L, _Q = c.POINTER(c.c_uint32), c.c_size_t, c.POINTER(c.c_size_t), c.c_int64, c.c_uint64
_STATUS = c.c_int32
LOG_FN = c.CFUNCTYPE(None, c.c_void_p, c.c_int32, c.c_char_p)
FREE_FN = c.CFUNCTYPE(None, c.c_void_p)

# name: (result, arguments)
_PROTOTYPES = {
    "oe_version": (_U, []),
    "oe_has": (_I, [_I]),
    "oe_build_info": (_Z, [_S, _Z]),
    "oe_status_name": (_S, [_STATUS]),
    "oe_status_text": (_S, [_STATUS]),
    "oe_status_is_retryable": (_I, [_STATUS]),
    "oe_quality_level": (_I, [_I]),
    "oe_quality_text": (_S, [_I]),
    "oe_last_error": (_STATUS, [c.POINTER(Error)]),
    "oe_context_last_error": (_STATUS, [_H, c.POINTER(Error)]),
    "oe_options_new": (_H, []),
    "oe_options_free": (None, [_H]),
    "oe_options_set_api_key": (_STATUS, [_H, _S]),
    "oe_options_set_backend": (_STATUS, [_H, _I]),
    "oe_options_set_endpoint": (_STATUS, [_H, _S]),
    "oe_options_set_allow_http": (_STATUS, [_H, _I]),
    "oe_options_set_trust": (_STATUS, [_H, _I]),
    "oe_options_set_ca_file": (_STATUS, [_H, _S]),
    "oe_options_set_proxy": (_STATUS, [_H, _S]),
    "oe_options_set_resolve": (_STATUS, [_H, _S, _S]),
    "oe_options_set_timeout_ms": (_STATUS, [_H, _U]),
    "oe_options_set_connect_timeout_ms": (_STATUS, [_H, _U]),
    "oe_options_set_interval_sec": (_STATUS, [_H, _U]),
    "oe_options_set_max_frame_age_ms": (_STATUS, [_H, _U]),
    "oe_options_set_workers": (_STATUS, [_H, _U]),
    "oe_options_set_user_agent": (_STATUS, [_H, _S]),
    "oe_options_set_model_file": (_STATUS, [_H, _S]),
    "oe_options_set_picture_memory_mb": (_STATUS, [_H, _U]),
    "oe_options_set_log": (_STATUS, [_H, _I, LOG_FN, c.c_void_p, FREE_FN]),
    "oe_client_new": (_STATUS, [_H, _HP]),
    "oe_client_free": (None, [_H]),
    "oe_client_cancel": (_STATUS, [_H]),
    "oe_client_create_due_in_ms": (_STATUS, [_H, _UP]),
    "oe_client_check_key": (_STATUS, [_H]),
    "oe_client_clear_latch": (_STATUS, [_H]),
    "oe_client_usage": (_STATUS, [_H, c.POINTER(Usage)]),
    "oe_client_next_event": (_STATUS, [_H, _U, c.POINTER(Event), c.POINTER(Result), c.POINTER(Error)]),
    "oe_client_event_fd": (c.c_ssize_t, [_H]),
    "oe_context_create_with": (_STATUS, [_H, c.POINTER(PrintOptions), _HP]),
    "oe_context_free": (None, [_H]),
    "oe_context_renew": (_STATUS, [_H]),
    "oe_context_due_in_ms": (_STATUS, [_H, _UP]),
    "oe_context_wait_due": (_STATUS, [_H]),
    "oe_context_cancel": (_STATUS, [_H]),
    "oe_context_set_interval_sec": (_STATUS, [_H, _U]),
    "oe_context_set_confidence": (_STATUS, [_H, _I, _I]),
    "oe_context_save": (_STATUS, [_H, _S, _Z, _ZP]),
    "oe_context_restore": (_STATUS, [_H, _S, _HP]),
    "oe_context_info": (_STATUS, [_H, c.POINTER(Info)]),
    "oe_process_jpeg_at": (_STATUS, [_H, c.c_void_p, _Z, _L, c.POINTER(Result)]),
    "oe_monitor_start_with": (_STATUS, [_H, c.POINTER(PrintOptions), _Q, _HP]),
    "oe_monitor_start_saved": (_STATUS, [_H, _S, _Q, _HP]),
    "oe_monitor_free": (None, [_H]),
    "oe_monitor_stop": (_STATUS, [_H]),
    "oe_monitor_pause": (_STATUS, [_H]),
    "oe_monitor_resume": (_STATUS, [_H]),
    "oe_monitor_mute": (_STATUS, [_H, _I]),
    "oe_monitor_set_interval_sec": (_STATUS, [_H, _U]),
    "oe_monitor_set_confidence": (_STATUS, [_H, _I, _I]),
    "oe_monitor_submit": (_STATUS, [_H, c.c_void_p, _Z, _L]),
    "oe_monitor_info": (_STATUS, [_H, c.POINTER(Info)]),
    "oe_monitor_save": (_STATUS, [_H, _S, _Z, _ZP]),
}


def _archive(path: pathlib.Path) -> Optional[pathlib.Path]:
    """The file that this module was imported out of, if it is in one: a zip."""
    return next((parent for parent in path.parents if parent.is_file()), None)


def _open(named: Optional[str], inside: pathlib.Path, installed: str) -> c.CDLL:
    """What the environment names comes first, then what the wheel brought, then what is installed."""
    path = named or (str(inside) if inside.is_file() else installed)
    try:
        return c.CDLL(path)
    except OSError as why:
        archive = _archive(inside)
        if named:
            text = f"OE_PROCESS_LIBRARY names {path}, which cannot be loaded ({why})"
        elif path != installed:
            text = f"{path} cannot be loaded here: is the wheel one for this system? ({why})"
        elif archive is not None:
            text = (f"oe_process was imported from inside {archive}, and no library can be loaded out of an archive: install the "
                    f"wheel, unpack the archive, or name a library in OE_PROCESS_LIBRARY ({why})")
        else:
            text = (f"this copy of oe_process brought no {inside.name}, and none is installed: install the wheel for this "
                    f"system, or name a library in OE_PROCESS_LIBRARY ({why})")
        raise ImportError(text, name=__name__, path=path) from why


def _load() -> c.CDLL:
    windows = sys.platform == "win32"
    inside = pathlib.Path(__file__).parent / ("oe_process.dll" if windows else "liboe_process.so")
    installed = "oe_process.dll" if windows else "liboe_process.so.0"
    library = _open(os.environ.get("OE_PROCESS_LIBRARY"), inside, installed)
    for function, (result, arguments) in _PROTOTYPES.items():
        try:
            entry = getattr(library, function)
        except AttributeError as why:
            raise ImportError(f"{library._name} has no {function}: it is not the library of this package's version",
                              name=__name__, path=library._name) from why
        entry.restype, entry.argtypes = result, arguments
    return library


library = _load()
