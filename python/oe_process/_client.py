"""The handles."""
from __future__ import annotations

import asyncio
import ctypes
import sys
from types import TracebackType
from typing import AsyncIterator, Iterator, Optional, Type, TypeVar, Union

from . import _native
from ._types import (
    Backend, Error, Event, EventKind, Info, NotDue, Result, Status, Time, Trust, Usage, _check, _seconds, _status,
    _unix_ms)

_oe = _native.library
_T = TypeVar("_T", bound="_Handle")


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class _Handle:
    """Something of the library's, freed once. Using it afterwards raises Status.HANDLE."""

    _free = ""

    def __init__(self, handle: Optional[int]) -> None:
        self._handle = handle

    def close(self) -> None:
        """Frees it; again does nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            getattr(_oe, self._free)(handle)

    def __enter__(self: _T) -> _T:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None and _oe is not None:
            self.close()

    def _save(self, function: str) -> str:
        buffer, needed = ctypes.create_string_buffer(_native.SAVED_MAX), ctypes.c_size_t()
        _check(getattr(_oe, function)(self._handle, buffer, len(buffer), ctypes.byref(needed)))
        return buffer.value.decode()

    def _info(self, function: str) -> Info:
        info = _native.Info()
        _check(getattr(_oe, function)(self._handle, ctypes.byref(info)))
        return Info._of(info)


class Client(_Handle):
    """One account and its connections; may be used from any thread."""

    _free = "oe_client_free"

    def __init__(
        self, api_key: Optional[str] = None, *, endpoint: Optional[str] = None, allow_http: bool = False,
        backend: Backend = Backend.SERVICE, trust: Optional[Trust] = None, ca_file: Optional[str] = None,
        proxy: Optional[str] = None, timeout: Optional[float] = None, connect_timeout: Optional[float] = None,
        interval: Optional[int] = None, max_frame_age: Optional[float] = None, workers: Optional[int] = None,
        user_agent: Optional[str] = None, model_file: Optional[str] = None,
    ) -> None:
        super().__init__(None)
        text = {"api_key": api_key, "endpoint": endpoint, "ca_file": ca_file, "proxy": proxy,
                "user_agent": user_agent, "model_file": model_file}
        number = {
            "allow_http": int(allow_http), "backend": int(backend), "trust": trust,
            "timeout_ms": None if timeout is None else round(timeout * 1000),
            "connect_timeout_ms": None if connect_timeout is None else round(connect_timeout * 1000),
            "interval_sec": interval, "workers": workers,
            "max_frame_age_ms": None if max_frame_age is None else round(max_frame_age * 1000)}
        options = _oe.oe_options_new()
        try:
            for name, value in text.items():
                if value is not None:
                    _check(getattr(_oe, "oe_options_set_" + name)(options, value.encode()))
            for name, setting in number.items():
                if setting is not None:
                    _check(getattr(_oe, "oe_options_set_" + name)(options, setting))
            client = ctypes.c_void_p()
            _check(_oe.oe_client_new(options, ctypes.byref(client)))
            self._handle = client.value
        finally:
            _oe.oe_options_free(options)

    def context(self, warning_confidence: int = 0, pause_confidence: int = 0) -> Context:
        """A new context for one print. Confidences are 1 (soonest) to 5 (only when certain); 0 is 3."""
        out = ctypes.c_void_p()
        _check(_oe.oe_context_create(self._handle, warning_confidence, pause_confidence, ctypes.byref(out)))
        return Context(out.value)

    def restore(self, saved: str) -> Context:
        """The context that Context.save() wrote, after a restart."""
        out = ctypes.c_void_p()
        _check(_oe.oe_context_restore(self._handle, saved.encode(), ctypes.byref(out)))
        return Context(out.value)

    def monitor(
        self, tag: int = 0, warning_confidence: int = 0, pause_confidence: int = 0, saved: Optional[str] = None
    ) -> Monitor:
        """Watches a print, new or from Monitor.save(); its events carry the tag."""
        out = ctypes.c_void_p()
        if saved is None:
            _check(_oe.oe_monitor_start(self._handle, warning_confidence, pause_confidence, tag, ctypes.byref(out)))
        else:
            _check(_oe.oe_monitor_start_saved(self._handle, saved.encode(), tag, ctypes.byref(out)))
        return Monitor(out.value)

    def next_event(self, timeout: Optional[float] = None) -> Optional[Event]:
        """The oldest unread event of any monitor; None when none came in so many seconds. Without a timeout it waits as long as
        it takes, and sees Ctrl-C meanwhile."""
        if timeout is not None:
            return self._next_event(min(max(round(timeout * 1000), 0), _native.NEVER - 1))
        while True:
            event = self._next_event(500)
            if event is not None:
                return event

    def _next_event(self, ms: int) -> Optional[Event]:
        event, result, error = _native.Event(), _native.Result(), _native.Error()
        places = ctypes.byref(event), ctypes.byref(result), ctypes.byref(error)
        if _check(_oe.oe_client_next_event(self._handle, ms, *places)) == Status.NO_EVENT:
            return None
        try:
            kind: Union[EventKind, int] = EventKind(event.kind)
        except ValueError:
            kind = event.kind
        has_result = kind in (EventKind.RESULT, EventKind.WARNING, EventKind.PAUSE)
        has_error = kind in (EventKind.ERROR, EventKind.LATCHED, EventKind.STOPPED)
        return Event(kind, event.tag, event.age_ms / 1000, Result._of(result) if has_result else None,
                     Error(error) if has_error else None)

    def events(self) -> Iterator[Event]:
        """Events for ever; ends when the client is cancelled or closed."""
        while self._handle is not None:
            try:
                event = self.next_event()
            except NotDue:
                return
            if event is not None:
                yield event

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Events for asyncio: `async for event in client`. Waits on the client's descriptor; on Windows, whose loop waits for
        sockets only, in a thread."""
        descriptor = -1 if sys.platform == "win32" else self.event_fd
        loop = asyncio.get_running_loop()
        while self._handle is not None:
            event = self._next_event(0)
            if event is not None:
                yield event
            elif descriptor == -1:
                event = await loop.run_in_executor(None, self._next_event, 250)
                if event is not None:
                    yield event
            else:
                ready: asyncio.Future[None] = loop.create_future()
                loop.add_reader(descriptor, _settle, ready)
                try:
                    await ready
                finally:
                    loop.remove_reader(descriptor)

    @property
    def event_fd(self) -> int:
        """Readable while there are unread events (on Windows an event's handle); never read or close it."""
        descriptor: int = _oe.oe_client_event_fd(self._handle)
        return descriptor

    @property
    def create_due_in(self) -> float:
        """Seconds until a context may be created."""
        ms = ctypes.c_uint32()
        _check(_oe.oe_client_create_due_in_ms(self._handle, ctypes.byref(ms)))
        return _seconds(ms.value)

    def check_key(self) -> None:
        """Asks the service about the key, free of charge; raises what is wrong with it."""
        _check(_oe.oe_client_check_key(self._handle))

    def clear_latch(self) -> None:
        """Tries again after the account was mended."""
        _check(_oe.oe_client_clear_latch(self._handle))

    def cancel(self) -> None:
        """Ends calls and waits in flight; from any thread."""
        _check(_oe.oe_client_cancel(self._handle))

    @property
    def usage(self) -> Usage:
        """What was sent so far."""
        u = _native.Usage()
        _check(_oe.oe_client_usage(self._handle, ctypes.byref(u)))
        return Usage(u.contexts, u.processed, u.possibly_billed, u.failed, u.creates, u.bytes_sent, u.bytes_received,
                     _status(u.latched))


class Context(_Handle):
    """One print, of which you make the calls."""

    _free = "oe_context_free"

    def process(self, jpeg: bytes, captured_at: Time = None) -> Result:
        """Sends one picture and gives the verdict. Raises NotDue before its time; nothing is sent then."""
        result = _native.Result()
        _check(_oe.oe_process_jpeg_at(self._handle, jpeg, len(jpeg), _unix_ms(captured_at), ctypes.byref(result)))
        return Result._of(result)

    @property
    def due_in(self) -> float:
        """Seconds until the next call is allowed; infinite when somebody has to act first."""
        ms = ctypes.c_uint32()
        _check(_oe.oe_context_due_in_ms(self._handle, ctypes.byref(ms)))
        return _seconds(ms.value)

    def wait_due(self) -> None:
        """Waits until a call is allowed. Raises NotDue when cancel() ended it."""
        _check(_oe.oe_context_wait_due(self._handle))

    def cancel(self) -> None:
        """Ends the call or wait in flight; from any thread."""
        _check(_oe.oe_context_cancel(self._handle))

    def renew(self) -> None:
        """A new context in place of a lost one."""
        _check(_oe.oe_context_renew(self._handle))

    def set_interval(self, seconds: int) -> None:
        """The delay between calls, where the service allows it; 0 is the service's own."""
        _check(_oe.oe_context_set_interval_sec(self._handle, seconds))

    def save(self) -> str:
        """For Client.restore() after a restart. Keep it as private as the key."""
        return self._save("oe_context_save")

    @property
    def info(self) -> Info:
        """Where it stands."""
        return self._info("oe_context_info")


class Monitor(_Handle):
    """One print that the library watches by itself; events tell what it needs and what it saw."""

    _free = "oe_monitor_free"

    def submit(self, jpeg: bytes, captured_at: Time = None) -> None:
        """Hands over a picture, which is copied; the newest is used when its time comes."""
        _check(_oe.oe_monitor_submit(self._handle, jpeg, len(jpeg), _unix_ms(captured_at)))

    def stop(self) -> None:
        """The print is over."""
        _check(_oe.oe_monitor_stop(self._handle))

    def pause(self) -> None:
        """The print is paused: no calls."""
        _check(_oe.oe_monitor_pause(self._handle))

    def resume(self) -> None:
        """It goes on."""
        _check(_oe.oe_monitor_resume(self._handle))

    def mute(self, muted: bool = True) -> None:
        """Verdicts go on, warnings and pauses are not told."""
        _check(_oe.oe_monitor_mute(self._handle, int(muted)))

    def set_interval(self, seconds: int) -> None:
        """As Context.set_interval()."""
        _check(_oe.oe_monitor_set_interval_sec(self._handle, seconds))

    def save(self) -> str:
        """For Client.monitor(saved=...) after a restart. Keep it as private as the key."""
        return self._save("oe_monitor_save")

    @property
    def info(self) -> Info:
        """Where it stands."""
        return self._info("oe_monitor_info")
