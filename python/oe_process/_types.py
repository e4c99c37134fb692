"""What calls take and give: statuses, verdicts, events, errors."""
from __future__ import annotations

import ctypes
import datetime
import enum
import math
import re
from dataclasses import dataclass
from typing import Iterable, NamedTuple, Optional, Union

from . import _native

_oe = _native.library
Time = Union[None, float, datetime.datetime]
"""When a picture was taken: seconds since 1970, an aware datetime, or None for now."""


class Status(enum.IntEnum):
    """How a call ended. 0 is success, above 0 nothing is wrong, below 0 the group says who has to act."""

    OK = 0
    NOT_DUE = 1
    CANCELLED = 2
    NO_EVENT = 3
    BLIND = 4
    ARGUMENT = -1
    HANDLE = -2
    ABI = -3
    BUSY = -4
    BUFFER = -5
    NOT_JPEG = -6
    IMAGE_TOO_LARGE = -7
    STALE_FRAME = -8
    FORKED = -9
    REENTRANT = -10
    UNSUPPORTED = -11
    CLOSED = -12
    DNS = -20
    CONNECT = -21
    IO = -22
    TIMEOUT = -23
    PROXY = -24
    TLS = -40
    CLOCK = -41
    RATE_LIMITED = -50
    THROTTLED = -51
    SERVER = -52
    PROTOCOL = -53
    CONTEXT_LOST = -54
    IMAGE_REJECTED = -55
    REQUEST_REJECTED = -56
    UNTRUSTED_URL = -57
    INVALID_API_KEY = -70
    API_KEY_DISABLED = -71
    PAYMENT_FAILED = -72
    IP_RESTRICTED = -73
    FREE_LIMIT = -74
    AUTH_UNCONFIRMED = -75
    PANIC = -90
    RESOURCES = -91
    MODEL = -92


class Backend(enum.IntEnum):
    """Who looks at the pictures."""

    SERVICE = 0
    EMBEDDED = 1


class Trust(enum.IntEnum):
    """Whose certificates count."""

    BUNDLED = 0
    SYSTEM = 1


class Feature(enum.IntEnum):
    """What a build of the library may have, for has()."""

    EMBEDDED = 1
    TLS = 2
    EVENT_FD = 3
    MONITOR = 4


class QualityLevel(enum.IntEnum):
    """What to make of a print_quality, in colours or in words of the user's own language."""

    UNKNOWN = 0
    GOOD = 1
    """6 to 10."""
    WATCH = 2
    """4 and 5."""
    BAD = 3
    """1 to 3."""


class LogLevel(enum.IntEnum):
    """How much a line of the log matters, and with Client(log_level=...) which lines are told."""

    ERROR = 1
    """Something failed and somebody has to act."""
    WARN = 2
    """Something failed and will be tried again."""
    INFO = 3
    """A context began, a verdict arrived."""
    DEBUG = 4
    """One line per request."""
    TRACE = 5
    """Everything."""


class EventKind(enum.IntEnum):
    """What an event tells."""

    FRAME_WANTED = 1
    RESULT = 2
    WARNING = 3
    PAUSE = 4
    ERROR = 5
    RECOVERED = 6
    CAMERA_STALLED = 7
    CAMERA_BACK = 8
    CONTEXT_RENEWED = 9
    LATCHED = 10
    STOPPED = 11


def _status(number: int) -> Union[Status, int]:
    """A later library may have more of them."""
    try:
        return Status(number)
    except ValueError:
        return number


def _seconds(ms: int) -> float:
    return math.inf if ms == _native.NEVER else ms / 1000


def _unix_ms(when: Time) -> int:
    if when is None:
        return 0
    return round((when.timestamp() if isinstance(when, datetime.datetime) else when) * 1000)


_SETTINGS = {
    "timeout_ms": "timeout", "connect_timeout_ms": "connect_timeout", "interval_sec": "interval",
    "max_frame_age_ms": "max_frame_age"}
"""What is not called as in C."""


def _in_python(text: str) -> str:
    """A text of the library's, which speaks of C, in the words of this package."""
    text = re.sub(r"\boe_options_set_(\w+)(\(\))?", lambda m: f"Client({_SETTINGS.get(m[1], m[1])}=...)", text)
    text = re.sub(r"\boe_(client|context|monitor)_(\w+)(\(\))?", lambda m: f"{m[1].capitalize()}.{m[2]}()", text)
    return re.sub(r"\bOE_(?:ERR_)?(\w+)", lambda m: f"Status.{m[1]}" if m[1] in Status.__members__ else m[0], text)


class Error(Exception):
    """A call failed; its text is for people and holds no key."""

    def __init__(self, failure: _native.Error, setting: Optional[str] = None) -> None:
        self.status = _status(failure.status)
        self.http_status: int = failure.http_status
        """Of the answer; 0 when none was read."""
        self.retry_after: Optional[float] = _seconds(failure.retry_after_ms)
        """Seconds until the next call is allowed; infinite when somebody has to act first; None of a NotDue or Blind: due_in has it."""
        self.error_type: str = failure.error_type.decode()
        """The service's own word for the reason, if it is a known one."""
        self.retryable = bool(_oe.oe_status_is_retryable(failure.status))
        """Whether a loop that takes a new picture each time should go on; not that the same one may be sent again."""
        text = _in_python((failure.text or _oe.oe_status_text(failure.status)).decode())
        self.text: str = f"{setting}: {text}" if setting else text
        name = self.status.name if isinstance(self.status, Status) else _oe.oe_status_name(failure.status).decode()
        super().__init__(f"{name}: {self.text}")


class NotDue(Error):
    """It is too early, or the wait was cancelled; nothing was sent and nothing is wrong."""

    def __init__(self, failure: _native.Error, setting: Optional[str] = None) -> None:
        super().__init__(failure, setting)
        self.retry_after = None


class Blind(Error):
    """The picture arrived and shows nothing to judge: there is no verdict, and nothing failed. The next one is due as ever."""

    def __init__(self, failure: _native.Error, setting: Optional[str] = None) -> None:
        super().__init__(failure, setting)
        self.retry_after = None


def _check(status: int, setting: Optional[str] = None) -> int:
    if status == Status.OK or status == Status.NO_EVENT:
        return status
    failure = _native.Error()
    _oe.oe_last_error(ctypes.byref(failure))
    if failure.status != status:
        failure = _native.Error()
        failure.status = status
    raise (Blind if status == Status.BLIND else NotDue if status > 0 else Error)(failure, setting)


def _text(value: str, name: str) -> bytes:
    """For C, where a string ends at its first NUL: the rest would be lost without a word."""
    if "\0" in value:
        raise ValueError(f"{name} holds a null character")
    return value.encode()


def _u32(number: float) -> int:
    """A number for C, where it would be cut to 32 bits: what does not fit becomes what is always refused."""
    number = round(number)
    return number if 0 <= number < _native.NEVER else _native.NEVER


def _i32(number: int) -> int:
    """The same for signed ones."""
    return number if -2**31 <= number < 2**31 else -1


class Region(NamedTuple):
    """A part of a picture, as it is shown (upright), in thousandths of its width and height, from its top left corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Result:
    """A verdict."""

    print_quality: int
    """1 (failed) to 10 (perfect)."""
    score: Optional[int]
    """0 (perfect) to 100 (failed)."""
    warning_suggested: bool
    pause_suggested: bool
    faster_inspection_suggested: bool
    minimum_interval: int
    """Seconds; the service's shortest."""
    recommended_interval: int
    """Seconds."""
    next_due: float
    """Seconds until the context may be called again."""
    flags: int
    latency: float
    frame_age: float
    place: Optional[Region] = None
    """Where in this picture it looks failed, when the score is 50 or more and it is one place that is known."""

    @property
    def warning_edge(self) -> bool:
        """Tell the user now."""
        return bool(self.flags & 1)

    @property
    def pause_edge(self) -> bool:
        """Pause the print now."""
        return bool(self.flags & 2)

    @property
    def quality_level(self) -> QualityLevel:
        """The quality in a colour."""
        return QualityLevel(_oe.oe_quality_level(self.print_quality))

    @property
    def quality_text(self) -> str:
        """The quality in a word."""
        text: bytes = _oe.oe_quality_text(self.print_quality)
        return text.decode()

    @classmethod
    def _of(cls, r: _native.Result) -> Result:
        return cls(
            r.print_quality, None if r.score < 0 else r.score, bool(r.warning_suggested), bool(r.pause_suggested),
            bool(r.faster_inspection_suggested), r.minimum_interval_sec, r.recommended_interval_sec,
            _seconds(r.next_due_ms), r.flags, r.latency_ms / 1000, r.frame_age_ms / 1000,
            Region(r.place.x, r.place.y, r.place.width, r.place.height) if r.place.width else None)


_MOST_REGIONS = 8


def _u16(number: int) -> int:
    """A number for C, where it would be cut to 16 bits: what does not fit becomes what is always refused."""
    return number if 0 <= number < 2**16 else 2**16 - 1


def _print_options(
    confidences: tuple[int, int], interval: float, ignore: Iterable[tuple[int, int, int, int]], replay: bool
) -> _native.PrintOptions:
    """The options of a print for C. More regions than there is room for are counted, and refused there."""
    options = _native.PrintOptions()
    options.warning_confidence, options.pause_confidence = map(_i32, confidences)
    options.interval_sec, options.flags = _u32(interval), int(bool(replay))
    for number, region in enumerate(ignore):
        options.ignore_count = number + 1
        if number < _MOST_REGIONS:
            options.ignore[number] = _native.Region(*map(_u16, region))
    return options


@dataclass(frozen=True)
class Event:
    """What happened to a monitored print."""

    kind: Union[EventKind, int]
    tag: int
    age: float
    """Seconds since it was queued: do not pause on an old one."""
    result: Optional[Result]
    """Of RESULT, WARNING and PAUSE."""
    error: Optional[Error]
    """Of ERROR, LATCHED and STOPPED."""
    status: Union[Status, int] = Status.OK
    """Of these too. Of CAMERA_STALLED why: NO_EVENT when no picture came, OK when it was the same one again and again, BLIND when
    there was nothing to see, else the status with which they were refused."""


@dataclass(frozen=True)
class Info:
    """Where a context or monitor stands."""

    using_fallback: bool
    failures_in_a_row: int
    last_quality: Optional[int]
    age: int
    calls: int
    last_status: Union[Status, int]
    due_in: float

    @classmethod
    def _of(cls, i: _native.Info) -> Info:
        return cls(
            bool(i.using_fallback), i.failures_in_a_row, i.last_quality or None, i.age_sec, i.calls,
            _status(i.last_status), _seconds(i.due_in_ms))


@dataclass(frozen=True)
class Usage:
    """What a client has sent."""

    contexts: int
    processed: int
    possibly_billed: int
    failed: int
    creates: int
    bytes_sent: int
    bytes_received: int
    latched: Union[Status, int]
