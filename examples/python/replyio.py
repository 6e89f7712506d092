"""libreplyio for Python, with ctypes: contacts of a Reply.io sequence as dataclasses.

    with replyio.Client(api_key) as client:
        print(client.get_sequence_contact(100, 12345).email)

Ownership: a contact is copied into Python objects and the library's copy is freed immediately, also
after an exception. The end of the with block destroys the client. All of its calls must have
returned by then, otherwise close() raises a RuntimeError.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import datetime
import enum
import queue
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor, wait
from ctypes import POINTER, byref, c_bool, c_char, c_char_p, c_double, c_int, c_int32, c_int64
from ctypes import c_size_t, c_void_p

# ---- Structures of the header ----


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


# ---- Functions of the header ----

_library = ctypes.CDLL("libreplyio.so.0")

_LogFunction = ctypes.CFUNCTYPE(None, c_char_p, c_void_p)

# The arguments: index, result, contact (owned by the callback), error, user data.
_ContactFunction = ctypes.CFUNCTYPE(
    c_int, c_size_t, c_int, POINTER(_SequenceContact), POINTER(_Error), c_void_p
)

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
    "page_size": c_int32,
}


def _declare(name, result, *arguments):
    function = getattr(_library, name)
    function.restype = result
    function.argtypes = arguments
    return function


def _declare_setter(name, *arguments):
    return _declare("reply_client_" + name, c_int, c_void_p, *arguments, POINTER(_Error))


_create = _declare("reply_client_create", c_int, c_char_p, POINTER(c_void_p), POINTER(_Error))
_destroy = _declare("reply_client_destroy", None, c_void_p)
_interrupt = _declare("reply_client_interrupt", None, c_void_p)
_add_header = _declare_setter("add_header", c_char_p, c_char_p)
_set = {name: _declare_setter("set_" + name, c_type) for name, c_type in _SETTINGS.items()}
_set_log = _declare_setter("set_log", _LogFunction, c_void_p)
_get_one = _declare(
    "reply_get_sequence_contact",
    c_int,
    c_void_p,
    c_int64,
    c_int64,
    POINTER(POINTER(_SequenceContact)),
    POINTER(_Error),
)
_get_many = _declare(
    "reply_get_sequence_contacts",
    c_int,
    c_void_p,
    c_int64,
    POINTER(c_int64),
    c_size_t,
    _ContactFunction,
    c_void_p,
    POINTER(_Error),
)
_list = _declare(
    "reply_list_sequence_contacts",
    c_int,
    c_void_p,
    c_int64,
    _ContactFunction,
    c_void_p,
    POINTER(_Error),
)
_free = _declare("reply_sequence_contact_free", None, POINTER(_SequenceContact))


def _exact(c_type, value):
    """Converts an integer to a C number. ctypes alone would truncate one that is out of range."""
    if isinstance(value, bool):
        raise TypeError("invalid number: must be an int, not a bool")
    number = c_type(value)
    if number.value != value:
        raise OverflowError(f"{value} does not fit into {8 * ctypes.sizeof(c_type)} bits")
    return number


def _text(value):
    """Converts a str to a C string, which cannot contain a NUL."""
    if "\0" in value:
        raise ValueError("text contains a NUL")
    return value.encode()


# ---- Errors: one exception per result ----


class ReplyError(Exception):
    """Base class of all errors, and the class of a result that this module does not know."""

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


# ---- Contacts ----


class _Status(enum.IntEnum):
    @classmethod
    def _missing_(cls, value):
        return cls.UNKNOWN  # a value of a newer library


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
    time: datetime.datetime | None  # None if the text is not a time; UTC if it has no offset


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
    json: str  # as sent


_EPOCH = datetime.datetime(1970, 1, 1)


def _copy_datetime(source):
    if source.text is None:
        return None
    time = None
    with contextlib.suppress(OverflowError):  # datetime has no year 0
        if source.has_time:
            offset = datetime.timedelta(seconds=source.utc_offset_seconds)
            since_epoch = datetime.timedelta(
                seconds=source.unix_seconds, microseconds=source.nanoseconds // 1000
            )
            # The local time is in range even if its UTC is not, as in 0001-01-01T00:00:00+05:00.
            local_time = _EPOCH + (since_epoch + offset)
            time = local_time.replace(tzinfo=datetime.timezone(offset))
    return Datetime(source.text.decode(), time)


def _copy_member(contact, name):
    value = getattr(contact, name)
    if not getattr(contact, "has_" + name, True):
        return None
    if isinstance(value, _Datetime):
        return _copy_datetime(value)
    if isinstance(value, bytes):
        return value.decode()
    enums = {"status": ContactStatus, "sub_status": ContactSubStatus}
    return enums[name](value) if name in enums else value


def _copy_and_free(pointer):
    try:
        names = [field.name for field in dataclasses.fields(SequenceContact)]
        return SequenceContact(*(_copy_member(pointer.contents, name) for name in names))
    finally:
        _free(pointer)


# ---- Lists ----


class _Listing:
    """A list call in its own thread. Its callback waits for the next call of next() or stop().

    stop() can therefore end the call immediately, without an interrupt of the client's other calls.
    """

    _CONTINUE, _STOP = 0, 1  # results of the callback

    def __init__(self, client, sequence_id):
        self._client = client
        self._sequence_id = sequence_id
        self._deliver = _ContactFunction(self._on_contact)
        self._items = queue.SimpleQueue()  # from the callback; at the end None or an exception
        self._answers = queue.SimpleQueue()  # to the callback
        self._is_waiting = False  # next() waits for an item
        # At its exit the interpreter waits for other threads, but stops a list that is still open.
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _on_contact(self, _index, result, contact, error, _data):
        try:
            if result == 0:
                self._items.put((_copy_and_free(contact), None))
            else:
                self._items.put((None, _exception(error.contents)))
            return self._answers.get()
        except BaseException as exception:  # an exception cannot pass through C
            self._items.put(exception)
            return self._STOP

    def _run(self):
        end = None
        try:
            error = _Error()
            with self._client._in_progress() as handle:
                result = _list(handle, self._sequence_id, self._deliver, None, byref(error))
            _check(result, error)
        except BaseException as exception:
            end = exception
        self._items.put(end)

    def next(self):
        """Returns (contact, error), or None at the end. Raises the error that ended the list."""
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._answers.put(self._CONTINUE)
        self._is_waiting = True
        item = self._items.get()
        self._is_waiting = False
        if isinstance(item, BaseException):
            raise item
        return item

    def stop(self):
        """Ends the call. After Ctrl-C in next(), the callback does not wait for an answer."""
        self._answers.put(self._STOP)
        while self._thread.is_alive():
            if self._is_waiting:
                self._client.interrupt()
            self._thread.join(0.05)


# ---- Client ----


class Client:
    """An API key, settings and connections, shared by any number of threads.

    The settings have the header's names. log(line) is called for each attempt and each wait,
    possibly by several threads at once.
    """

    def __init__(self, api_key, *, headers=None, log=None, **settings):
        unknown = settings.keys() - _SETTINGS.keys()
        if unknown:
            raise TypeError(f"unknown setting: {', '.join(sorted(unknown))}")
        error = _Error()
        # The lock guards the two members below. It is reentrant because a signal handler may call
        # interrupt() in the thread that holds it.
        self._lock = threading.RLock()
        self._handle = c_void_p()
        self._call_count = 0  # calls in progress
        _check(_create(_text(api_key), byref(self._handle), byref(error)), error)
        try:
            for name, value in settings.items():
                c_type = _SETTINGS[name]
                argument = _text(value) if c_type is c_char_p else _exact(c_type, value)
                _check(_set[name](self._handle, argument, byref(error)), error)
            for name, value in (headers or {}).items():
                _check(_add_header(self._handle, _text(name), _text(value), byref(error)), error)
            if log is not None:
                # The member keeps the callback alive, which the library does not.
                self._log = _LogFunction(lambda line, _: log(line.decode()))
                _check(_set_log(self._handle, self._log, None, byref(error)), error)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Destroys the client. Raises a RuntimeError if any of its calls is in progress."""
        with self._lock:
            if self._call_count > 0:
                raise RuntimeError("cannot close the client: a call is in progress; wait for it")
            # A signal handler must not see the handle any more, and the library rejects NULL.
            handle, self._handle = self._handle, c_void_p()
            _destroy(handle)

    def interrupt(self, calls=()):
        """Ends all calls in progress with a CancelledError, and waits until these futures are done.

        The interrupt is repeated: it has no effect on a call that has not begun.
        """
        self._interrupt()
        while running := [call for call in calls if not call.done()]:
            wait(running, timeout=0.05)
            self._interrupt()

    def _interrupt(self):
        with self._lock:
            _interrupt(self._handle)

    @contextlib.contextmanager
    def _in_progress(self):
        """Yields the handle, and prevents close() until the end of the block."""
        with self._lock:
            handle = self._handle
            self._call_count += 1
        try:
            yield handle
        finally:
            with self._lock:
                self._call_count -= 1

    def get_sequence_contact(self, sequence_id, contact_id):
        """Returns a SequenceContact, or raises the exception of its error."""
        ids = _exact(c_int64, sequence_id), _exact(c_int64, contact_id)

        def fetch():
            error = _Error()
            contact = POINTER(_SequenceContact)()
            with self._in_progress() as handle:
                _check(_get_one(handle, *ids, byref(contact), byref(error)), error)
            return _copy_and_free(contact)

        return self._run(fetch)

    def get_sequence_contacts(self, sequence_id, contact_ids, on_contact):
        """Fetches several contacts at once, and delivers each to on_contact in order of completion.

        on_contact(contact_id, contact, error) receives a SequenceContact and None, or None and a
        ReplyError. If it raises an exception, the call stops and raises the same exception.
        """
        contact_ids = list(contact_ids)
        count = len(contact_ids)
        c_sequence_id = _exact(c_int64, sequence_id)
        c_contact_ids = (c_int64 * count)(*(_exact(c_int64, each) for each in contact_ids))
        raised = []

        @_ContactFunction
        def deliver(index, result, contact, error, _):
            try:
                if result == 0:
                    on_contact(contact_ids[index], _copy_and_free(contact), None)
                else:
                    on_contact(contact_ids[index], None, _exception(error.contents))
                return 0
            except BaseException as exception:  # an exception cannot pass through C
                raised.append(exception)
                return 1

        def fetch():
            error = _Error()
            with self._in_progress() as handle:
                result = _get_many(
                    handle, c_sequence_id, c_contact_ids, count, deliver, None, byref(error)
                )
            if raised:
                raise raised[0]
            _check(result, error)

        self._run(fetch)

    def list_sequence_contacts(self, sequence_id):
        """Returns a generator of all contacts of a sequence, in the service's order.

        Yields a SequenceContact and None, or None and the ReplyError of a contact that cannot be
        read. Raises the error that ends the list. The end of the loop ends the call, also by break
        or an exception; contextlib.closing() closes a generator that is kept longer.
        """
        listing = _Listing(self, _exact(c_int64, sequence_id))
        contacts = self._generate(listing)
        weakref.finalize(contacts, listing.stop)  # at the interpreter's exit at the latest
        return contacts

    @staticmethod
    def _generate(listing):
        try:
            while (item := listing.next()) is not None:
                yield item
        finally:
            listing.stop()

    def _run(self, fetch):
        """Makes a call that Ctrl-C can end.

        Python handles signals in its main thread, and not while that thread is in C. A call by the
        main thread therefore runs in another thread.
        """
        if threading.current_thread() is not threading.main_thread():
            return fetch()
        with ThreadPoolExecutor(1) as executor:  # the end of the block waits for the call
            call = executor.submit(fetch)
            try:
                return call.result()
            except KeyboardInterrupt:
                self.interrupt([call])
                raise
