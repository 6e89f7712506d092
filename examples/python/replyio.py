"""libreplyio for Python, by ctypes alone: contacts of a Reply.io sequence, as dataclasses and exceptions.

    with replyio.Client(api_key) as client:
        print(client.get_sequence_contact(100, 12345).email)

Who frees what: a contact is copied into Python's memory and the library's is freed at once, whatever happens on the way; an error
lies in a structure of Python's; the client is destroyed when its with block ends, by when its calls must have returned: close()
raises a RuntimeError where one has not.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import datetime
import enum
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from ctypes import POINTER, byref, c_bool, c_char, c_char_p, c_double, c_int, c_int32, c_int64, c_size_t, c_void_p

# ---- The header's structures, member by member --------------------------------------------------------------------------------


class _Error(ctypes.Structure):
    _fields_ = [
        ("result", c_int),
        ("http_status", c_int32),
        ("curl_code", c_int32),
        ("attempts", c_int32),
        ("retry_after_ms", c_int64),
        ("problem_code", c_char * 64),
        ("request_id", c_char * 64),
        ("message", c_char * 512),
        ("reserved", c_char * 360),
    ]


class _Datetime(ctypes.Structure):
    _fields_ = [
        ("text", c_char_p),
        ("unix_seconds", c_int64),
        ("nanoseconds", c_int32),
        ("utc_offset_seconds", c_int32),
        ("has_time", c_bool),
        ("has_utc_offset", c_bool),
    ]


class _SequenceContact(ctypes.Structure):
    _fields_ = [
        ("contact_id", c_int64),
        ("sequence_id", c_int64),
        ("email", c_char_p),
        ("first_name", c_char_p),
        ("last_name", c_char_p),
        ("company", c_char_p),
        ("title", c_char_p),
        ("status", c_int),
        ("status_text", c_char_p),
        ("sub_status", c_int),
        ("sub_status_text", c_char_p),
        ("current_step", c_int32),
        ("adding_date", _Datetime),
        ("moving_date", _Datetime),
        ("next_send_after", _Datetime),
        ("is_opted_out", c_bool),
        ("has_email_account_id", c_bool),
        ("email_account_id", c_int64),
        ("has_linkedin_account_id", c_bool),
        ("linkedin_account_id", c_int64),
        ("has_icp_score", c_bool),
        ("icp_score", c_double),
        ("json", c_char_p),
        ("json_length", c_size_t),
    ]


# ---- The header's functions ---------------------------------------------------------------------------------------------------

_library = ctypes.CDLL("libreplyio.so.0")

_LogFunction = ctypes.CFUNCTYPE(None, c_char_p, c_void_p)

# Its first argument is the index, and its third the contact, which is the callback's to free.
_ContactFunction = ctypes.CFUNCTYPE(c_int, c_size_t, c_int, POINTER(_SequenceContact), POINTER(_Error), c_void_p)

_SETTINGS = {
    "base_url": c_char_p,
    "user_agent": c_char_p,
    "ca_file": c_char_p,
    "proxy": c_char_p,
    "connect_timeout_ms": c_int64,
    "attempt_timeout_ms": c_int64,
    "timeout_ms": c_int64,
    "max_retries": c_int32,
    "max_concurrency": c_int32,
}


def _declare(name, result, *arguments):
    function = getattr(_library, name)
    function.restype = result
    function.argtypes = arguments
    return function


_create = _declare("reply_client_create", c_int, c_char_p, POINTER(c_void_p), POINTER(_Error))
_destroy = _declare("reply_client_destroy", None, c_void_p)
_interrupt = _declare("reply_client_interrupt", None, c_void_p)
_add_header = _declare("reply_client_add_header", c_int, c_void_p, c_char_p, c_char_p, POINTER(_Error))
_set = {name: _declare("reply_client_set_" + name, c_int, c_void_p, kind, POINTER(_Error)) for name, kind in _SETTINGS.items()}
_set_log = _declare("reply_client_set_log", c_int, c_void_p, _LogFunction, c_void_p, POINTER(_Error))
_get_one = _declare(
    "reply_get_sequence_contact", c_int, c_void_p, c_int64, c_int64, POINTER(POINTER(_SequenceContact)), POINTER(_Error)
)
_get_many = _declare(
    "reply_get_sequence_contacts", c_int, c_void_p, c_int64, POINTER(c_int64), c_size_t, _ContactFunction, c_void_p, POINTER(_Error)
)
_free = _declare("reply_sequence_contact_free", None, POINTER(_SequenceContact))


def _exact(kind, value):
    """A C number, which ctypes would cut where it does not fit: another contact would be meant then."""
    number = kind(value)
    if number.value != value:
        raise OverflowError(f"{value} does not fit into {8 * ctypes.sizeof(kind)} bits")
    return number


def _text(value):
    """A C string, which would end at a NUL within it."""
    if "\0" in value:
        raise ValueError("a text holds a NUL")
    return value.encode()


# ---- Errors: an exception for each result -------------------------------------------------------------------------------------


class ReplyError(Exception):
    """What failed, why, and what to do. A result that a later library adds raises this class itself."""

    _by_result: dict[int, type[ReplyError]] = {}

    def __init_subclass__(cls, result):
        ReplyError._by_result[result] = cls

    def __init__(self, error):
        super().__init__(error.message.decode())
        self.result = error.result
        self.http_status = error.http_status or None
        self.attempts = error.attempts
        self.retry_after_ms = error.retry_after_ms if error.retry_after_ms >= 0 else None
        self.problem_code = error.problem_code.decode() or None
        self.request_id = error.request_id.decode() or None


class InvalidArgumentError(ReplyError, result=1): ...
class NoMemoryError(ReplyError, result=2): ...
class CancelledError(ReplyError, result=3): ...
class NetworkError(ReplyError, result=4): ...
class TlsError(ReplyError, result=5): ...
class TimeoutError(ReplyError, result=6): ...
class ResponseTooLargeError(ReplyError, result=7): ...
class InvalidResponseError(ReplyError, result=8): ...
class BadRequestError(ReplyError, result=9): ...
class UnauthorizedError(ReplyError, result=10): ...
class ForbiddenError(ReplyError, result=11): ...
class NotFoundError(ReplyError, result=12): ...
class RateLimitedError(ReplyError, result=13): ...
class ServerError(ReplyError, result=14): ...
class HttpError(ReplyError, result=15): ...


def _exception(error):
    return ReplyError._by_result.get(error.result, ReplyError)(error)


def _check(result, error):
    if result != 0:
        raise _exception(error)


# ---- Contacts -----------------------------------------------------------------------------------------------------------------


class _Status(enum.IntEnum):
    @classmethod
    def _missing_(cls, value):
        return cls.UNKNOWN  # one that a later library has a name for


class ContactStatus(_Status):
    UNKNOWN = 0  # read status_text
    ACTIVE = 1
    PAUSED = 2
    FINISHED = 3
    INACTIVE = 4
    OUT_OF_OFFICE = 5


class ContactSubStatus(_Status):
    UNKNOWN = 0  # read sub_status_text
    NULL = 1
    NONE = 2
    AUTO_REPLIED = 3


@dataclasses.dataclass(frozen=True)
class Datetime:
    text: str  # as sent
    time: datetime.datetime | None  # None where the text is no time; in UTC where it names no offset


@dataclasses.dataclass(frozen=True)
class SequenceContact:
    contact_id: int
    sequence_id: int
    email: str | None
    first_name: str | None
    last_name: str | None
    company: str | None
    title: str | None
    status: ContactStatus
    status_text: str
    sub_status: ContactSubStatus
    sub_status_text: str | None
    current_step: int
    adding_date: Datetime
    moving_date: Datetime | None
    next_send_after: Datetime | None
    is_opted_out: bool
    email_account_id: int | None
    linkedin_account_id: int | None
    icp_score: float | None
    json: str  # the response as sent


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def _copy_datetime(source):
    if source.text is None:
        return None
    time = None
    with contextlib.suppress(OverflowError):  # Python has no year 0
        if source.has_time:
            zone = datetime.timezone(datetime.timedelta(seconds=source.utc_offset_seconds))
            since = datetime.timedelta(seconds=source.unix_seconds, microseconds=source.nanoseconds // 1000)
            time = (_EPOCH + since).astimezone(zone)
    return Datetime(source.text.decode(), time)


def _copy_member(contact, name):
    value = getattr(contact, name)
    if not getattr(contact, "has_" + name, True):
        return None
    if isinstance(value, _Datetime):
        return _copy_datetime(value)
    if isinstance(value, bytes):
        return value.decode()
    return {"status": ContactStatus, "sub_status": ContactSubStatus}.get(name, lambda other: other)(value)


def _take(pointer):
    """Copies a contact that is ours to free, and frees it."""
    try:
        names = [field.name for field in dataclasses.fields(SequenceContact)]
        return SequenceContact(*(_copy_member(pointer.contents, name) for name in names))
    finally:
        _free(pointer)


# ---- Client -------------------------------------------------------------------------------------------------------------------


class Client:
    """An API key, settings and connections, for any number of threads at once. The settings are the header's, by their names; log is
    called with a line for each attempt and each wait, perhaps by several threads at once."""

    def __init__(self, api_key, *, headers=None, log=None, **settings):
        unknown = settings.keys() - _SETTINGS.keys()
        if unknown:
            raise TypeError(f"no such setting: {', '.join(sorted(unknown))}")
        error = _Error()
        self._lock = threading.RLock()  # guards what follows; a signal handler may interrupt while its own thread holds it
        self._handle = c_void_p()
        self._calls = 0  # those in progress
        _check(_create(_text(api_key), byref(self._handle), byref(error)), error)
        try:
            for name, value in settings.items():
                argument = _text(value) if _SETTINGS[name] is c_char_p else _exact(_SETTINGS[name], value)
                _check(_set[name](self._handle, argument, byref(error)), error)
            for name, value in (headers or {}).items():
                _check(_add_header(self._handle, _text(name), _text(value), byref(error)), error)
            if log is not None:
                self._log = _LogFunction(lambda line, _: log(line.decode()))  # the library does not keep it alive
                _check(_set_log(self._handle, self._log, None, byref(error)), error)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Destroys the client. None of its calls may be in progress any more, in any thread."""
        with self._lock:
            if self._calls > 0:
                raise RuntimeError("a call with the client is in progress: wait for it, or interrupt it, before close()")
            handle, self._handle = self._handle, c_void_p()  # later calls are refused by the library
            _destroy(handle)  # out of the reach of a signal handler

    def interrupt(self, calls=()):
        """Ends the calls that are in progress, in all threads, with a CancelledError, and waits for calls, which are futures: one
        that is only about to begin does not notice, and is interrupted again."""
        self._interrupt()
        while running := [call for call in calls if not call.done()]:
            wait(running, timeout=0.05)
            self._interrupt()

    def _interrupt(self):
        with self._lock:
            _interrupt(self._handle)

    @contextlib.contextmanager
    def _in_progress(self):
        """A call, during which the client stays as it is. Hands out its handle."""
        with self._lock:
            handle = self._handle
            self._calls += 1
        try:
            yield handle
        finally:
            with self._lock:
                self._calls -= 1

    def get_sequence_contact(self, sequence_id, contact_id):
        """Fetches a contact, or raises the error's own exception."""
        ids = _exact(c_int64, sequence_id), _exact(c_int64, contact_id)

        def fetch():
            error = _Error()
            contact = POINTER(_SequenceContact)()
            with self._in_progress() as handle:
                _check(_get_one(handle, *ids, byref(contact), byref(error)), error)
            return _take(contact)

        return self._run(fetch)

    def get_sequence_contacts(self, sequence_id, contact_ids, on_contact):
        """Fetches several contacts at a time, and calls on_contact(contact_id, contact, error) for each as it is done: with a
        SequenceContact and None, or with None and a ReplyError. An exception of on_contact ends the call and is raised by it."""
        contact_ids = list(contact_ids)
        c_sequence_id = _exact(c_int64, sequence_id)
        c_contact_ids = (c_int64 * len(contact_ids))(*(_exact(c_int64, contact_id) for contact_id in contact_ids))
        raised = []

        @_ContactFunction
        def deliver(index, result, contact, error, _):
            try:
                if result == 0:
                    on_contact(contact_ids[index], _take(contact), None)
                else:
                    on_contact(contact_ids[index], None, _exception(error.contents))
                return 0
            except BaseException as exception:  # none may pass through C
                raised.append(exception)
                return 1

        def fetch():
            error = _Error()
            with self._in_progress() as handle:
                result = _get_many(handle, c_sequence_id, c_contact_ids, len(contact_ids), deliver, None, byref(error))
            if raised:
                raise raised[0]
            _check(result, error)

        self._run(fetch)

    def _run(self, fetch):
        """Runs a call so that Ctrl-C ends it. Python takes Ctrl-C in its main thread, and not while that is inside C: there the
        call is made by another thread, which is waited for."""
        if threading.current_thread() is not threading.main_thread():
            return fetch()
        with ThreadPoolExecutor(1) as executor:  # its end waits for the call
            call = executor.submit(fetch)
            try:
                return call.result()
            except KeyboardInterrupt:
                self.interrupt([call])
                raise
