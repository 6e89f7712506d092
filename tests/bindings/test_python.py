"""test_python.py BASE_URL - checks the Python binding with the mock server."""

import decimal
import json
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import replyio

SAME_NAMES = (
    "contact_id",
    "sequence_id",
    "email",
    "first_name",
    "last_name",
    "company",
    "title",
    "current_step",
    "is_opted_out",
    "email_account_id",
    "icp_score",
)
SETTINGS = {"user_agent": "test/1", "timeout_ms": 60000, "headers": {"X-TEAM-ID": "7"}}

with replyio.Client("key", base_url=sys.argv[1], **SETTINGS) as client:
    # Each member has the value of its field, up to the last one of the struct.
    contacts = [client.get_sequence_contact(100, contact_id) for contact_id in (12345, 666, 667)]
    for contact in contacts:
        sent = json.loads(contact.json)
        for name in SAME_NAMES:
            first, *rest = name.split("_")
            field = first + "".join(word.title() for word in rest)
            assert getattr(contact, name) == sent.get(field), name
        assert contact.status_text == sent["status"]
        assert contact.sub_status_text == sent.get("subStatus")
        assert contact.linkedin_account_id == sent.get("linkedInAccountId")
        for date, field in (
            (contact.adding_date, "addingDate"),
            (contact.moving_date, "movingDate"),
            (contact.next_send_after, "nextSendAfter"),
        ):
            assert (date and date.text) == sent.get(field), field
    assert contacts[0].adding_date.time.isoformat() == contacts[0].adding_date.text
    first_day = client.get_sequence_contact(100, 669)
    assert first_day.adding_date.time.isoformat() == "0001-01-01T00:00:00+00:00"
    assert first_day.moving_date.time.isoformat() == first_day.moving_date.text
    assert first_day.next_send_after.time.isoformat() == first_day.next_send_after.text
    assert contacts[1].moving_date.time is None
    assert [contact.status.name for contact in contacts] == ["ACTIVE", "UNKNOWN", "OUT_OF_OFFICE"]
    assert [contact.sub_status.name for contact in contacts] == ["NONE", "UNKNOWN", "AUTO_REPLIED"]

    def stop(*_):
        raise KeyError("mine")

    def close(*_):
        client.close()

    waits = threading.Event()
    lines = []

    def log(line):
        lines.append(line)
        if line.startswith("wait "):
            waits.set()

    # A client is not destroyed while another thread waits for the rate limit of contact 429.
    other = replyio.Client("key", base_url=sys.argv[1], log=log)
    thread = threading.Thread(target=other.get_sequence_contact, args=(100, 429))
    thread.start()
    assert waits.wait(10)
    try:
        other.close()
        raise AssertionError("closed")
    except RuntimeError:
        pass
    thread.join()

    # A signal handler may interrupt while its own thread closes the client: the handle is NULL.
    handles = []
    destroy = replyio._destroy

    def destroy_interrupted(handle):
        signal.raise_signal(signal.SIGUSR1)
        destroy(handle)

    def handle_signal(*_):
        handles.append(other._handle.value)
        other.interrupt()

    signal.signal(signal.SIGUSR1, handle_signal)
    signal.alarm(10)  # ends the program if it deadlocks
    replyio._destroy = destroy_interrupted
    other.close()
    replyio._destroy = destroy
    signal.alarm(0)
    assert handles == [None], handles

    assert len(lines) == 3 and lines[1] == "wait 1000 ms: rate limit", lines
    assert lines[0].startswith("attempt 1 GET /v4/sequences/100/contacts/429: 429 in "), lines
    assert lines[2].startswith("attempt 2 GET /v4/sequences/100/contacts/429: 200 in "), lines

    numeric_settings = (
        "timeout_ms",
        "connect_timeout_ms",
        "attempt_timeout_ms",
        "max_retries",
        "max_concurrency",
        "page_size",
    )
    for name in numeric_settings:
        for value in (0.5, 1.0, True, "3", b"3", None, decimal.Decimal(3)):
            try:
                replyio.Client("key", **{name: value})
            except TypeError:
                continue
            raise AssertionError(f"{name}={value!r}")
        replyio.Client("key", **{name: 10}).close()

    for expected, call in (
        (replyio.NotFoundError, lambda: client.get_sequence_contact(100, 404)),
        (OverflowError, lambda: client.get_sequence_contact(100, 2**64 + 12345)),
        (TypeError, lambda: client.get_sequence_contact(100, "12345")),
        (TypeError, lambda: client.get_sequence_contact(100, 12345.0)),
        (TypeError, lambda: client.get_sequence_contact(True, 12345)),
        (TypeError, lambda: client.get_sequence_contacts(100, [True], stop)),
        (KeyError, lambda: client.get_sequence_contacts(100, [1, 2, 3], stop)),
        (RuntimeError, lambda: client.get_sequence_contacts(100, [1, 2, 3], close)),
        (replyio.InvalidArgumentError, lambda: other.get_sequence_contact(100, 12345)),
        (replyio.InvalidArgumentError, lambda: replyio.Client("key", max_retries=11)),
        (OverflowError, lambda: replyio.Client("key", max_retries=2**32)),
        (TypeError, lambda: replyio.Client("key", base_url=3)),
        (TypeError, lambda: replyio.Client("key", max_retries="3")),
    ):
        try:
            call()
        except expected:
            continue
        raise AssertionError(expected)

# ---- Lists ----

BASE_URL = sys.argv[1]


def is_in_progress(client):
    return client._call_count > 0


with replyio.Client("key", base_url=BASE_URL, page_size=100) as client:
    listed = list(client.list_sequence_contacts(201))
    assert [contact.contact_id for contact, _ in listed] == list(range(20001, 22501))
    assert all(error is None for _, error in listed)
    assert sum(contact.is_opted_out for contact, _ in listed) == 50
    assert json.loads(listed[0][0].json)["contactId"] == 20001
    assert list(client.list_sequence_contacts(300)) == []

    # A contact that cannot be read does not end the list.
    hostile = list(client.list_sequence_contacts(666))
    assert [contact.contact_id for contact, _ in hostile if contact] == [666, 667, 668, 669, 670]
    errors = [error for _, error in hostile if error]
    assert len(errors) == 2 and all(type(e) is replyio.InvalidResponseError for e in errors)
    assert "contact 671" in str(errors[0]), errors[0]

    # The error that ends the list comes after what was delivered.
    ids = []
    try:
        for contact, _ in client.list_sequence_contacts(403):
            ids.append(contact.contact_id)
        raise AssertionError("not raised")
    except replyio.ForbiddenError as error:
        assert (error.problem_code, error.request_id) == ("TEAM_NOT_ACCESSIBLE", "9e02bd")
    assert len(ids) == 100

    # The loop may use the client, and ends the call by break, an exception or close().
    for contact, _ in client.list_sequence_contacts(201):
        assert client.get_sequence_contact(100, 12345).contact_id == 12345
        assert is_in_progress(client)
        break
    assert not is_in_progress(client)
    try:
        for contact, _ in client.list_sequence_contacts(201):
            raise KeyError("mine")
    except KeyError:
        pass
    assert not is_in_progress(client)
    contacts = client.list_sequence_contacts(201)
    next(contacts)
    contacts.close()
    assert not is_in_progress(client) and list(contacts) == []
    client.list_sequence_contacts(201).close()  # not begun
    for rejected in (True, "100", 1.0):
        try:
            client.list_sequence_contacts(rejected)
            raise AssertionError(rejected)
        except TypeError:
            pass
    try:
        next(client.list_sequence_contacts(0))
        raise AssertionError("not raised")
    except replyio.InvalidArgumentError:
        pass

    # An exception of a signal handler, such as that of Ctrl-C, ends a wait for the rate limit.
    def interrupt(*_):
        raise KeyError("mine")

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        next(client.list_sequence_contacts(429))
        raise AssertionError("not raised")
    except KeyError:
        pass
    assert not is_in_progress(client)

# The end of a loop does not interrupt another call in progress: pages of sequence 200 take 0.3 s.
with replyio.Client("key", base_url=BASE_URL) as client, ThreadPoolExecutor(1) as executor:
    slow = executor.submit(lambda: list(client.list_sequence_contacts(200)))
    for _ in client.list_sequence_contacts(201):
        break
    assert len(slow.result()) == 2500

# An open list does not keep the interpreter from its exit.
left_open = replyio.Client("key", base_url=BASE_URL).list_sequence_contacts(201)
next(left_open)
