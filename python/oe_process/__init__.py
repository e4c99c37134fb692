"""Watches 3D prints: pictures of a running print go to OctoEverywhere's Gadget Process API or to a service of your own, and what
comes back is a quality, when to warn the user, when to pause the print, and when to come again.

A thin layer over the C library, which paces the calls, recovers, and acts on nothing that is in doubt. Every call that waits
lets other threads run. Times are seconds.

    with oe_process.Client(api_key="...") as client, client.context() as print_:
        while True:
            print_.wait_due()
            result = print_.process(camera.jpeg())
            if result.pause_edge:
                printer.pause()
"""
from __future__ import annotations

import ctypes

from . import _native
from ._client import Client, Context, Monitor
from ._types import (
    Backend, Blind, Error, Event, EventKind, Feature, Info, LogLevel, NotDue, QualityLevel, Region, Result, Status, Trust, Usage)

__all__ = [
    "Backend", "Blind", "Client", "Context", "Error", "Event", "EventKind", "Feature", "Info", "LogLevel", "Monitor", "NotDue",
    "QualityLevel", "Region", "Result", "Status", "Trust", "Usage", "build_info", "has", "version",
]


def version() -> tuple[int, int, int]:
    """The library's: major, minor, patch."""
    number: int = _native.library.oe_version()
    return number >> 16, number >> 8 & 255, number & 255


def has(feature: Feature) -> bool:
    """Whether the library has a feature, without trying it."""
    return bool(_native.library.oe_has(feature))


def build_info() -> str:
    """What the library was built for and from."""
    buffer = ctypes.create_string_buffer(512)
    _native.library.oe_build_info(buffer, len(buffer))
    return buffer.value.decode()
