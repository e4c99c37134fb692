"""The handles."""
from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, AsyncIterator, Callable, Iterable, Iterator, Mapping, Optional, Set, Type, TypeVar, Union

from . import _log, _native
from ._buffer import held
from ._types import (
    Backend, Error, Event, EventKind, Info, LogLevel, NotDue, Result, Status, Time, Trust, Usage, _check, _i32,
    _print_options, _seconds, _status, _text, _u32, _unix_ms)

if TYPE_CHECKING:
    from typing_extensions import Buffer

_oe = _native.library
_IN_C = {"timeout": "timeout_ms", "connect_timeout": "connect_timeout_ms", "interval": "interval_sec",
         "max_frame_age": "max_frame_age_ms"}
_T = TypeVar("_T", bound="_Handle")


class _Handle:
    """Something of the library's, freed once. Using it afterwards raises Status.HANDLE."""

    _free = ""

    def __init__(self, handle: Optional[int], logs: bool = False) -> None:
        self._handle = handle
        self._logs = logs
        if logs:
            _log.close_at_exit(self)

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
    """One account and its connections; may be used from any thread.

    A service of your own may go without a key. `resolve` names the addresses of hosts that are not to be looked up:
    {"printer.lan": "10.0.0.5, fd00::5"}. A setting that is None or "" is not set. `log` gets the library's lines up to `log_level`, each with its level, on any
    thread; what it raises goes to sys.unraisablehook. A client with a log function is closed when Python ends, with all that
    was made from it."""

    _free = "oe_client_free"

    def __init__(
        self, api_key: Optional[str] = None, *, endpoint: Optional[str] = None, allow_http: bool = False,
        backend: Backend = Backend.SERVICE, trust: Optional[Trust] = None, ca_file: Optional[str] = None,
        proxy: Optional[str] = None, timeout: Optional[float] = None, connect_timeout: Optional[float] = None,
        interval: Optional[int] = None, max_frame_age: Optional[float] = None, workers: Optional[int] = None,
        user_agent: Optional[str] = None, model_file: Optional[str] = None, log: Optional[_log.Log] = None,
        log_level: LogLevel = LogLevel.INFO, resolve: Optional[Mapping[str, str]] = None,
        picture_memory_mb: Optional[int] = None,
    ) -> None:
        super().__init__(None)
        self._lock = threading.Lock()
        self._wakes: Set[Callable[[], object]] = set()
        self._cancels = 0
        text = {"api_key": api_key, "endpoint": endpoint, "ca_file": ca_file, "proxy": proxy,
                "user_agent": user_agent, "model_file": model_file}
        number = {
            "backend": _i32(backend), "allow_http": int(bool(allow_http)), "trust": None if trust is None else _i32(trust),
            "timeout": None if timeout is None else _u32(timeout * 1000),
            "connect_timeout": None if connect_timeout is None else _u32(connect_timeout * 1000),
            "interval": None if interval is None else _u32(interval), "workers": None if workers is None else _u32(workers),
            "max_frame_age": None if max_frame_age is None else _u32(max_frame_age * 1000),
            "picture_memory_mb": None if picture_memory_mb is None else _u32(picture_memory_mb)}
        options = _oe.oe_options_new()
        try:
            for name, value in text.items():
                if value:
                    _check(getattr(_oe, "oe_options_set_" + name)(options, _text(value, name)), name)
            for host, addresses in (resolve or {}).items():
                _check(_oe.oe_options_set_resolve(options, _text(host, "resolve"), _text(addresses, "resolve")), "resolve")
            for name, setting in number.items():
                if setting is not None:
                    _check(getattr(_oe, "oe_options_set_" + _IN_C.get(name, name))(options, setting), name)
            if log is not None:
                _log.set_log(options, _i32(log_level), log)
            client = ctypes.c_void_p()
            _check(_oe.oe_client_new(options, ctypes.byref(client)))
            self._handle = client.value
        finally:
            _oe.oe_options_free(options)
        if log is not None:
            self._logs = True
            _log.close_at_exit(self)

    def close(self) -> None:
        """Frees it, which ends its monitors, its calls and its events; again does nothing."""
        super().close()
        self._wake()

    def _wake(self) -> None:
        """Whoever waits for an event looks up."""
        with self._lock:
            wakes = list(self._wakes)
        for wake in wakes:
            wake()

    def context(
        self, warning_confidence: int = 0, pause_confidence: int = 0, *, interval: float = 0,
        ignore: Iterable[tuple[int, int, int, int]] = (), replay: bool = False
    ) -> Context:
        """A new context for one print. Confidences are 1 (soonest) to 5 (only when certain); 0 is 3. An interval of 0 is the
        client's. With the embedded engine only: parts of the picture (see Region) that are never judged, and a recording,
        whose capture times are the clock."""
        out = ctypes.c_void_p()
        options = _print_options((warning_confidence, pause_confidence), interval, ignore, replay)
        _check(_oe.oe_context_create_with(self._handle, ctypes.byref(options), ctypes.byref(out)))
        return Context(out.value, self._logs)

    def restore(self, saved: str) -> Context:
        """The context that Context.save() wrote, after a restart."""
        out = ctypes.c_void_p()
        _check(_oe.oe_context_restore(self._handle, _text(saved, "saved"), ctypes.byref(out)))
        return Context(out.value, self._logs)

    def monitor(
        self, tag: int = 0, warning_confidence: int = 0, pause_confidence: int = 0, saved: Optional[str] = None, *,
        interval: float = 0, ignore: Iterable[tuple[int, int, int, int]] = ()
    ) -> Monitor:
        """Watches a print, new as by context() or from Monitor.save(), which has all but the tag; its events carry that."""
        out = ctypes.c_void_p()
        if not 0 <= tag < 2**64:
            raise ValueError("the tag is not within 0 to 2**64 - 1")
        if saved is None:
            options = _print_options((warning_confidence, pause_confidence), interval, ignore, False)
            _check(_oe.oe_monitor_start_with(self._handle, ctypes.byref(options), tag, ctypes.byref(out)))
        else:
            _check(_oe.oe_monitor_start_saved(self._handle, _text(saved, "saved"), tag, ctypes.byref(out)))
        return Monitor(out.value, self._logs)

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
                     Error(error) if has_error else None, _status(event.status))

    def _ended(self, cancels: int) -> bool:
        """Whether it was closed, or cancelled since there were so many cancels."""
        return self._handle is None or self._cancels != cancels

    def _next_unless_ended(self, ms: int, cancels: int) -> Optional[Event]:
        """As _next_event(); None also when a close or cancel ended the wait."""
        try:
            return self._next_event(ms)
        except Error as error:
            if self._ended(cancels) and error.status in (Status.CANCELLED, Status.HANDLE):
                return None
            raise

    def events(self) -> Iterator[Event]:
        """Events until the client is cancelled or closed, by any thread."""
        cancels = self._cancels
        while not self._ended(cancels):
            event = self._next_unless_ended(500, cancels)
            if event is not None:
                yield event

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Events for asyncio: `async for event in client`, until the client is cancelled or closed, by any task or thread.
        Waits on the client's descriptor; on Windows, whose loop waits for sockets only, in a thread."""
        cancels = self._cancels
        while not self._ended(cancels):
            event = self._next_unless_ended(0, cancels)
            if event is not None:
                yield event
            elif self._descriptor() == -1:
                loop = asyncio.get_running_loop()
                event = await loop.run_in_executor(None, self._next_unless_ended, 250, cancels)
                if event is not None:
                    yield event
            else:
                await self._readable(cancels)

    def _descriptor(self) -> int:
        return -1 if sys.platform == "win32" else self.event_fd

    async def _readable(self, cancels: int) -> None:
        """Returns when there is an event, or when the client is cancelled or closed."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(ready.set)
            except RuntimeError:  # the loop has ended, and nobody waits in it
                pass

        try:
            # One of our own: close() closes the client's, and another file may get its number while this waits.
            descriptor = os.dup(self._descriptor())
        except OSError:  # closed by another thread just now
            if self._ended(cancels):
                return
            raise
        with self._lock:
            self._wakes.add(wake)
        try:
            loop.add_reader(descriptor, ready.set)
            try:
                # A cancel from before the line above has woken nobody.
                if not self._ended(cancels):
                    await ready.wait()
            finally:
                loop.remove_reader(descriptor)
        finally:
            with self._lock:
                self._wakes.discard(wake)
            os.close(descriptor)

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
        """Ends calls and waits in flight, and every loop over its events; from any thread."""
        self._cancels += 1
        _check(_oe.oe_client_cancel(self._handle))
        self._wake()

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

    def process(self, jpeg: Buffer, captured_at: Time = None) -> Result:
        """Sends one picture and gives the verdict. Raises NotDue before its time; nothing is sent then. Raises Blind when it shows
        nothing to judge. The picture may be in
        anything that holds bytes; it is not copied, and must not change before this returns."""
        result = _native.Result()
        with held(jpeg) as (place, size):
            when = _unix_ms(captured_at)
            _check(_oe.oe_process_jpeg_at(self._handle, place, size, when, ctypes.byref(result)))
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
        _check(_oe.oe_context_set_interval_sec(self._handle, _u32(seconds)), "interval")

    def set_confidence(self, warning: int, pause: int) -> None:
        """How certain it must be from now on; the service hears of it with the next renew()."""
        _check(_oe.oe_context_set_confidence(self._handle, _i32(warning), _i32(pause)), "confidence")

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

    def submit(self, jpeg: Buffer, captured_at: Time = None) -> None:
        """Hands over a picture, in anything that holds bytes, which is copied; the newest is used when its time comes."""
        with held(jpeg) as (place, size):
            _check(_oe.oe_monitor_submit(self._handle, place, size, _unix_ms(captured_at)))

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
        _check(_oe.oe_monitor_set_interval_sec(self._handle, _u32(seconds)), "interval")

    def set_confidence(self, warning: int, pause: int) -> None:
        """How certain it must be from now on; for the service the context is made anew when its pace allows that."""
        _check(_oe.oe_monitor_set_confidence(self._handle, _i32(warning), _i32(pause)), "confidence")

    def save(self) -> str:
        """For Client.monitor(saved=...) after a restart. Keep it as private as the key."""
        return self._save("oe_monitor_save")

    @property
    def info(self) -> Info:
        """Where it stands."""
        return self._info("oe_monitor_info")
