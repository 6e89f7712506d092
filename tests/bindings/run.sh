#!/bin/sh
# run.sh SOURCE_DIR BUILD_DIR: what the examples in other languages print, and their exit status, with the shared library and
# against the stand-in server of that build. What they need beyond the source goes into BUILD_DIR/bindings.
set -u
source_dir=$(CDPATH='' cd -- "$1" && pwd) && build=$(CDPATH='' cd -- "$2" && pwd) || exit 1
examples=$source_dir/examples
. "$examples/mock_server.sh"
. "$source_dir/tests/support/check_output.sh"

# The first file of that name in the build.
find_built() {
    found=$(find "$build" -path "$build/bindings" -prune -o -name "$1" -print | head -n 1)
    [ -n "$found" ] || echo "$build holds no $1" >&2
    printf '%s' "$found"
}
library=$(find_built libreplyio.so.0)
server=$(find_built mock_server)
[ -n "$library" ] && [ -n "$server" ] || exit 1
library_dir=$(dirname -- "$library")

scratch=$build/bindings
mkdir -p "$scratch"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
skipped=0
export LD_LIBRARY_PATH="$library_dir" REPLY_API_KEY=a-key-that-nobody-may-see PYTHONDONTWRITEBYTECODE=1

# ---- Helpers ----

skip() { # NAME REASON
    skipped=$((skipped + 1))
    printf 'SKIPPED: %s: %s\n' "$1" "$2"
}

# Several contacts are printed in the order in which they come: sorted here.
run_command() {
    status=0
    "$@" >"$work/raw" 2>"$work/errors" </dev/null || status=$?
    sort "$work/raw" >"$work/output"
    check "API key hidden" key_is_hidden
}

errors_have() { grep -qF -- "$1" "$work/errors"; }
output_has() { grep -q -- "$1" "$work/output"; }
output_is_harmless() { ! LC_ALL=C tr -d '\n' <"$work/output" | LC_ALL=C grep -q '[[:cntrl:]]'; }
has_compiled() { [ "$status" -eq 0 ] && [ ! -s "$work/errors" ]; }

# The last run failed, printed nothing else, and said so: NAME STATUS TEXT.
expect_failure() {
    check "$1: exit status $2" status_is "$2"
    check "$1: no output" output_is ""
    check "$1: the message" errors_have "$3"
}

example_line() { # CONTACT_ID
    printf '%s: John Doe <john.doe@company.com>, Active, step 2' "$1"
}
new_line='
'
not_in_sequence="contact 404 in sequence 100: HTTP 404, the sequence or the contact does not exist, or the contact is not in this \
sequence (Not Found: The contact is not in this sequence.); check both ids"

without_key() (
    unset REPLY_API_KEY
    "$@"
)

# Each example does the same: NAME COMMAND... Each has a stand-in server of its own, which limits its first request for contact 429.
check_binding() {
    binding=$1
    shift
    start_mock_server "$server" || exit 1

    run_command "$@" --base-url "$base_url" 100 12345
    expect "the documentation's example" 0 "$(example_line 12345)$new_line" ""

    run_command "$@" --base-url "$base_url" 9007199254740995 9007199254740993 9223372036854775807
    expect "ids above 2^53" 0 "$(example_line 9007199254740993)$new_line$(example_line 9223372036854775807)$new_line" ""

    run_command "$@" --base-url "$base_url" 100 666
    check "opted out" output_has '^666: Zoë .* <zoe@company.com>, .*, step 0, LinkedIn account 9007199254740993, OPTED OUT$'
    check "nothing that a terminal obeys" output_is_harmless

    run_command "$@" --base-url "$base_url" 100 668
    expect "without name and email" 0 "668: - - <->, Finished, step 1$new_line" ""

    run_command "$@" --base-url "$base_url" 100 429 12345
    expect "a rate limit" 0 "$(example_line 12345)$new_line$(example_line 429)$new_line" ""

    run_command "$@" --base-url "$base_url" 100 404 12345
    if [ "$binding" != "python, threads" ]; then
        expect "a contact that is missing" 1 "$(example_line 12345)$new_line" "$not_in_sequence$new_line"
    else
        expect "a contact that is missing" 1 "$(example_line 12345)${new_line}404: not in sequence 100$new_line" ""
    fi

    run_command "$@" --base-url http://example.com/v4 100 12345
    expect_failure "a base URL without TLS" 2 "the base URL is refused"

    # 12345 is what is left of it in 64 bits
    run_command "$@" --base-url "$base_url" 100 18446744073709563961
    expect_failure "an id that is too large" 2 ""

    run_command "$@" --base-url "$base_url" 100
    expect_failure "no contact" 2 ""

    run_command without_key "$@" --base-url "$base_url" 100 12345
    expect_failure "no key" 2 "REPLY_API_KEY"
}

# Runs a program against a server that limits its rate for a minute, interrupts it while it waits for that, and returns its exit
# status, or 99 where it does not end at once.
cat >"$work/interrupt.py" <<'PYTHON'
import http.server
import signal
import subprocess
import sys
import threading
import time

has_limited = threading.Event()


class Limiter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(429)
        self.send_header("Retry-After", "60")
        self.send_header("Content-Length", "0")
        self.end_headers()
        has_limited.set()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Limiter)
threading.Thread(target=server.serve_forever, daemon=True).start()
signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background ignores it, and so would the program
base_url = f"http://127.0.0.1:{server.server_port}/v4"
program = subprocess.Popen([*sys.argv[1:], "--base-url", base_url, "100", "1", "2", "3", "4", "5", "6"])
if not has_limited.wait(30):
    program.kill()
    sys.exit("the program has sent nothing")
time.sleep(0.2)  # the wait begins; an interrupt a little before it ends the call, too
program.send_signal(signal.SIGINT)
try:
    sys.exit(program.wait(3))
except subprocess.TimeoutExpired:
    program.kill()
    sys.exit(99)
PYTHON

check_interrupt() { # MESSAGE COMMAND...
    message=$1
    shift
    run_command python3 "$work/interrupt.py" "$@"
    expect_failure "Ctrl-C" 1 "$message"
}

# ---- Python ----

if command -v python3 >/dev/null 2>&1; then
    check_binding "python" python3 "$examples/python/get_sequence_contacts.py"
    run_command python3 "$examples/python/get_sequence_contacts.py" --verbose --base-url "$base_url" 100 12345
    check "--verbose: the contact" output_is "$(example_line 12345)$new_line"
    check "--verbose: the attempt" errors_have "attempt 1 GET /v4/sequences/100/contacts/12345: 200 in "
    check_interrupt "interrupted" python3 "$examples/python/get_sequence_contacts.py"
    check_binding "python, threads" python3 "$examples/python/share_client.py"
    check_interrupt "interrupted" python3 "$examples/python/share_client.py"

    # Each member that the binding reads is what the response says, down to the last.
    cat >"$work/members.py" <<'PYTHON'
import json
import signal
import sys
import threading

import replyio

with replyio.Client("key", base_url=sys.argv[1], user_agent="members/1", timeout_ms=60000, headers={"X-TEAM-ID": "7"}) as client:
    contacts = [client.get_sequence_contact(100, contact_id) for contact_id in (12345, 666, 667)]
    for contact in contacts:
        sent = json.loads(contact.json)
        for name in ("contact_id", "sequence_id", "email", "first_name", "last_name", "company", "title", "current_step",
                     "is_opted_out", "email_account_id", "icp_score"):
            head, *rest = name.split("_")
            assert getattr(contact, name) == sent.get(head + "".join(word.title() for word in rest)), name
        assert contact.status_text == sent["status"] and contact.sub_status_text == sent.get("subStatus")
        assert contact.linkedin_account_id == sent.get("linkedInAccountId")
        for date, name in ((contact.adding_date, "addingDate"), (contact.moving_date, "movingDate"),
                           (contact.next_send_after, "nextSendAfter")):
            assert (date and date.text) == sent.get(name), name
    assert contacts[0].adding_date.time.isoformat() == contacts[0].adding_date.text
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

    # A client that another thread is using is not destroyed: contact 429's first answer asks to wait a second.
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

    # A signal handler may interrupt while its own thread closes the client, and finds none any more.
    handles = []
    destroy = replyio._destroy

    def destroy_interrupted(handle):
        signal.raise_signal(signal.SIGUSR1)
        destroy(handle)

    def handle_signal(*_):
        handles.append(other._handle.value)
        other.interrupt()

    signal.signal(signal.SIGUSR1, handle_signal)
    signal.alarm(10)  # ends the program where it waits for itself
    replyio._destroy = destroy_interrupted
    other.close()
    replyio._destroy = destroy
    signal.alarm(0)
    assert handles == [None], handles

    assert len(lines) == 3 and lines[1] == "wait 1000 ms: rate limit", lines
    assert lines[0].startswith("attempt 1 GET /v4/sequences/100/contacts/429: 429 in "), lines
    assert lines[2].startswith("attempt 2 GET /v4/sequences/100/contacts/429: 200 in "), lines

    for expected, call in (
        (replyio.NotFoundError, lambda: client.get_sequence_contact(100, 404)),
        (OverflowError, lambda: client.get_sequence_contact(100, 2**64 + 12345)),
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
PYTHON
    start_mock_server "$server" || exit 1
    PYTHONPATH=$examples/python run_command python3 "$work/members.py" "$base_url"
    expect "each member, and each exception" 0 "" ""
else
    skip "python" "there is no python3"
fi

# ---- LuaJIT ----

if command -v luajit >/dev/null 2>&1; then
    REPLYIO_CDEF=$(find_built replyio.cdef.h)
    export REPLYIO_CDEF
    check_binding "luajit" luajit "$examples/luajit/get_sequence_contacts.lua"

    cat >"$work/members.lua" <<'LUA'
local ffi = require("ffi")
local replyio = require("replyio")
local client = assert(replyio.new_client("key", { base_url = arg[1], timeout_ms = 60000, max_concurrency = 2 }))
local contact = assert(client:get_sequence_contact(100, 9007199254740993LL))
assert(contact.contact_id == 9007199254740993LL and contact.has_icp_score and contact.icp_score == 0.85)
assert(contact.adding_date.has_time and contact.adding_date.unix_seconds == 1709892000)
assert(replyio.text(contact.moving_date.text) == nil and #replyio.text(contact.json) == contact.json_length)
local missing, failure = client:get_sequence_contact(100, 404)
assert(missing == nil and failure.result == "REPLY_ERROR_NOT_FOUND" and failure.http_status == 404)
local is_done, message = pcall(client.get_sequence_contacts, client, 100, { 1, 2, 3 }, function() error("mine", 0) end)
assert(not is_done and message == "mine")
-- More calls than there are callbacks, so that one that is not freed shows.
for _ = 1, 2000 do
    assert(client:get_sequence_contacts(100, {}, print))
end
assert(select(2, replyio.new_client("")).result == "REPLY_ERROR_INVALID_ARGUMENT")

-- What would be cut on its way to C is refused.
local function is_refused(message, call, ...)
    local is_made, refusal = pcall(call, ...)
    return not is_made and tostring(refusal):find(message, 1, true)
end
for _, id in ipairs({ 1.5, 2 ^ 53, 2 ^ 64 + 2 ^ 20, 0 / 0, 18446744073709551615ULL }) do
    assert(is_refused("an id is not exact", client.get_sequence_contact, client, 100, id), id)
    assert(is_refused("an id is not exact", client.get_sequence_contact, client, id, 1), id)
    assert(is_refused("an id is not exact", client.get_sequence_contacts, client, 100, { 1, id }, print), id)
    assert(is_refused("an id is not exact", client.get_sequence_contacts, client, id, { 1 }, print), id)
end
assert(client:get_sequence_contact(100, 2 ^ 53 - 1).contact_id == 9007199254740991LL)
assert(is_refused("a text holds a NUL", replyio.new_client, "key\0junk"))
for _, settings in ipairs({
    { base_url = arg[1] .. "\0junk" }, { headers = { ["X-TEAM-ID\0"] = "7" } }, { headers = { ["X-TEAM-ID"] = "7\0" } },
}) do
    assert(is_refused("a text holds a NUL", replyio.new_client, "key", settings))
end

assert(replyio.new_client("key", { headers = { ["X-TEAM-ID"] = "7", ["X-USER-ID"] = "8" } })):close()
assert(select(2, replyio.new_client("key", { headers = { Host = "7" } })).result == "REPLY_ERROR_INVALID_ARGUMENT")

-- A client that is making a call is not destroyed, also after a call of its callback.
local refusals = 0
assert(client:get_sequence_contacts(100, { 1, 2 }, function()
    assert(client:get_sequence_contacts(100, { 3 }, function() end))
    refusals = refusals + (is_refused("the client has a call in progress", client.close, client) and 1 or 0)
end))
assert(refusals == 2, refusals)
client:close()
client:close()
assert(select(2, client:get_sequence_contact(100, 1)).result == "REPLY_ERROR_INVALID_ARGUMENT")
LUA
    LUA_PATH="$examples/luajit/?.lua" run_command luajit "$work/members.lua" "$base_url"
    expect "members and errors" 0 "" ""
else
    skip "luajit" "there is no luajit"
fi

# ---- Node.js ----

if command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1; then
    binding=node
    mkdir -p "$scratch/node"
    cp "$examples/node/package.json" "$examples/node"/*.js "$scratch/node/"
    run_command npm install --prefix "$scratch/node" --no-package-lock --no-audit --no-fund --no-update-notifier
    check "npm install" status_is 0
    check_binding "node" node "$scratch/node/get_sequence_contacts.js"
    if command -v python3 >/dev/null 2>&1; then
        check_interrupt "ended by reply_client_interrupt" node "$scratch/node/get_sequence_contacts.js"

        # More calls than libuv has threads.
        cat >"$scratch/node/interrupt.js" <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { Client } from "./replyio.js";

const client = new Client("key", { baseUrl: process.argv[3] });
const calls = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((id) => client.getSequenceContact(100, id));
process.on("SIGINT", async () => {
  await client.interrupt();
  client.close();
  console.error("closed");
});
for (const call of await Promise.allSettled(calls)) {
  assert.equal(call.reason?.code, "REPLY_ERROR_CANCELLED");
}
process.exitCode = 1;
JAVASCRIPT
        check_interrupt "closed" node "$scratch/node/interrupt.js"
    else
        skip "node: Ctrl-C" "there is no python3 to send it"
    fi

    cat >"$scratch/node/members.js" <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { Client } from "./replyio.js";

const client = new Client("key", { baseUrl: process.argv[2], userAgent: "members/1", timeoutMs: 60000, maxRetries: 2 });
const contacts = await Promise.all([12345n, 666n, 667n].map((id) => client.getSequenceContact(100n, id)));
for (const contact of contacts) {
  const sent = JSON.parse(contact.json);
  for (const name of ["email", "firstName", "lastName", "company", "title", "currentStep", "isOptedOut", "icpScore"]) {
    assert.equal(contact[name], sent[name] ?? null, name);
  }
  for (const name of ["contactId", "sequenceId", "emailAccountId"]) {
    assert.equal(contact[name], sent[name] === undefined ? null : BigInt(sent[name]), name);
  }
  for (const name of ["addingDate", "movingDate", "nextSendAfter"]) {
    assert.equal(contact[name]?.text ?? null, sent[name] ?? null, name);
  }
  assert.equal(contact.statusText, sent.status);
  assert.equal(contact.subStatusText, sent.subStatus ?? null);
}
assert.deepEqual(contacts.map((contact) => contact.linkedinAccountId), [null, 9007199254740993n, null]);
assert.deepEqual(contacts.map((contact) => contact.status), ["Active", "Unknown", "OutOfOffice"]);
assert.equal(contacts[0].addingDate.time.toISOString(), "2024-03-08T10:00:00.000Z");
assert.equal(contacts[1].movingDate.time, null);

const stop = () => {
  throw new Error("mine");
};
await assert.rejects(client.getSequenceContact(100, 404), { code: "REPLY_ERROR_NOT_FOUND", httpStatus: 404 });
await assert.rejects(client.getSequenceContact(100n, 2n ** 64n + 12345n), RangeError);
await assert.rejects(client.getSequenceContact(100, 2 ** 53), RangeError);
await assert.rejects(client.getSequenceContacts(100, [1, 2, 3], stop), { message: "mine" });
assert.throws(() => new Client("key", { maxRetries: 11 }), { code: "REPLY_ERROR_INVALID_ARGUMENT" });
for (const settings of [
  { maxRetries: 2 ** 32 },
  { maxRetries: 2n ** 32n + 1n },
  { timeoutMs: 2n ** 64n + 5n },
  { baseUrl: `${process.argv[2]}\0junk` },
  { headers: { "X-TEAM-ID\0": "7" } },
  { headers: { "X-TEAM-ID": "7\0" } },
]) {
  assert.throws(() => new Client("key", settings), RangeError);
}
assert.throws(() => new Client("key\0junk"), RangeError);
assert.throws(() => new Client("key", { baseUrl: Buffer.from(process.argv[2]) }), TypeError);
new Client("key", { headers: { "X-TEAM-ID": "7", "X-USER-ID": "8" } }).close();
assert.throws(() => new Client("key", { headers: { Host: "7" } }), { code: "REPLY_ERROR_INVALID_ARGUMENT" });
const call = client.getSequenceContact(100, 1);
assert.throws(() => client.close(), /in progress/);
await call;
client.close();
JAVASCRIPT
    run_command node "$scratch/node/members.js" "$base_url"
    expect "each member, and each error" 0 "" ""
else
    skip "node" "there is no node, or no npm"
fi

# ---- C++ ----

if command -v c++ >/dev/null 2>&1; then
    binding=c++
    for standard in c++11 c++20; do
        run_command c++ "-std=$standard" -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror "-I$source_dir/include" \
            "$examples/cpp/get_sequence_contacts.cpp" -o "$scratch/get_sequence_contacts" "$library"
        check "compiles as $standard" has_compiled
    done
    check_binding "c++" "$scratch/get_sequence_contacts"
else
    skip "c++" "there is no c++"
fi

if [ "$skipped" -eq 0 ]; then
    echo "$passed passed, $failed failed"
else
    echo "$passed passed, $failed failed, $skipped skipped"
fi
[ "$failed" -eq 0 ]
