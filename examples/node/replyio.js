// libreplyio for Node.js, with koffi: contacts of a Reply.io sequence as objects, by promises.
//
//     const client = new Client(apiKey);
//     console.log((await client.getSequenceContact(100n, 12345n)).email);
//     client.close();
//
// Ownership: a contact is copied into a JavaScript object and the library's copy is freed
// immediately, also after an exception. close destroys the client; its calls must have ended.
//
// Ids are BigInts, because a Number is exact only up to 2^53.

import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import koffi from "koffi";

// ---- Structures of the header ----

koffi.opaque("reply_client");

const errorType = koffi.struct("reply_error", {
  result: "int",
  http_status: "int32_t",
  curl_code: "int32_t",
  attempts: "int32_t",
  retry_after_ms: "int64_t",
  problem_code: koffi.array("char", 64),
  request_id: koffi.array("char", 64),
  message: koffi.array("char", 512),
  reserved: koffi.array("char", 360),
});

koffi.struct("reply_datetime", {
  text: "const char *",
  unix_seconds: "int64_t",
  nanoseconds: "int32_t",
  utc_offset_seconds: "int32_t",
  has_time: "bool",
  has_utc_offset: "bool",
});

const contactMembers = {
  contact_id: "int64_t",
  sequence_id: "int64_t",
  email: "const char *",
  first_name: "const char *",
  last_name: "const char *",
  company: "const char *",
  title: "const char *",
  status: "int",
  status_text: "const char *",
  sub_status: "int",
  sub_status_text: "const char *",
  current_step: "int32_t",
  adding_date: "reply_datetime",
  moving_date: "reply_datetime",
  next_send_after: "reply_datetime",
  is_opted_out: "bool",
  has_email_account_id: "bool",
  email_account_id: "int64_t",
  has_linkedin_account_id: "bool",
  linkedin_account_id: "int64_t",
  has_icp_score: "bool",
  icp_score: "double",
  json: "const char *",
  json_length: "size_t",
};
const contactType = koffi.struct("reply_sequence_contact", contactMembers);

// ---- Functions of the header ----

const library = koffi.load("libreplyio.so.0");

koffi.proto(
  "int reply_contact_fn(size_t index, int result, reply_sequence_contact *contact, " +
    "const reply_error *error, void *user_data)",
);

const resultName = library.func("const char *reply_result_name(int result)");
const statusName = library.func("const char *reply_contact_status_name(int status)");
const subStatusName = library.func("const char *reply_contact_sub_status_name(int sub_status)");
const create = library.func(
  "int reply_client_create(const char *api_key, _Out_ reply_client **client, " +
    "_Out_ reply_error *error)",
);
const destroy = library.func("void reply_client_destroy(reply_client *client)");
const interrupt = library.func("void reply_client_interrupt(reply_client *client)");
const freeContact = library.func(
  "void reply_sequence_contact_free(reply_sequence_contact *contact)",
);

// The calls block, so koffi makes them on threads of libuv's pool. It runs their callbacks on the
// thread of JavaScript. A call occupies its thread until it ends; further calls wait for a thread.
// UV_THREADPOOL_SIZE sets the number of threads (default: 4).
const getOne = promisify(
  library.func(
    "int reply_get_sequence_contact(reply_client *client, int64_t sequence_id, " +
      "int64_t contact_id, _Out_ reply_sequence_contact **contact, _Out_ reply_error *error)",
  ).async,
);
const getMany = promisify(
  library.func(
    "int reply_get_sequence_contacts(reply_client *client, int64_t sequence_id, " +
      "const int64_t *contact_ids, size_t count, reply_contact_fn *on_contact, void *user_data, " +
      "_Out_ reply_error *error)",
  ).async,
);
const list = promisify(
  library.func(
    "int reply_list_sequence_contacts(reply_client *client, int64_t sequence_id, " +
      "reply_contact_fn *on_contact, void *user_data, _Out_ reply_error *error)",
  ).async,
);

const settingTypes = {
  base_url: "const char *",
  user_agent: "const char *",
  ca_file: "const char *",
  proxy: "const char *",
  connect_timeout_ms: "int64_t",
  attempt_timeout_ms: "int64_t",
  timeout_ms: "int64_t",
  max_retries: "int32_t",
  max_concurrency: "int32_t",
  page_size: "int32_t",
};
const setters = Object.fromEntries(
  Object.entries(settingTypes).map(([name, type]) => {
    const set = library.func(
      `int reply_client_set_${name}(reply_client *client, ${type} value, _Out_ reply_error *error)`,
    );
    return [camelCase(name), (client, value, error) => set(client, toArgument[type](value), error)];
  }),
);
const addHeader = library.func(
  "int reply_client_add_header(reply_client *client, const char *name, const char *value, " +
    "_Out_ reply_error *error)",
);

function camelCase(name) {
  return name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
}

// Returns an integer as a BigInt. koffi alone would truncate one that is out of range.
function exact(value, bits = 64) {
  if (typeof value !== "bigint" && typeof value !== "number") {
    throw new TypeError(`invalid number ${value}: must be a BigInt or a Number`);
  }
  const number = BigInt(value);
  const isRounded = typeof value === "number" && !Number.isSafeInteger(value);
  if (isRounded || BigInt.asIntN(bits, number) !== number) {
    throw new RangeError(`invalid number ${value}: must be an exact ${bits}-bit integer`);
  }
  return number;
}

// Returns the value if it is a string without a NUL, which would end a C string.
function text(value) {
  if (typeof value !== "string") {
    throw new TypeError("text is not a string");
  }
  if (value.includes("\0")) {
    throw new RangeError("text contains a NUL");
  }
  return value;
}

const toArgument = {
  "const char *": text,
  int64_t: (value) => exact(value),
  int32_t: (value) => exact(value, 32),
};

// ---- Errors and contacts ----

// The code of an error is the name of its result in the header, such as "REPLY_ERROR_NOT_FOUND".
export class ReplyError extends Error {
  constructor(error) {
    super(error.message);
    this.name = "ReplyError";
    this.code = resultName(error.result);
    this.httpStatus = error.http_status || null;
    this.attempts = error.attempts;
    this.retryAfterMs = error.retry_after_ms >= 0 ? Number(error.retry_after_ms) : null;
    this.problemCode = error.problem_code || null;
    this.requestId = error.request_id || null;
  }
}

function check(result, error) {
  if (result !== 0) {
    throw new ReplyError(error);
  }
}

// Returns the text as sent and its time, which is null if the text is not a time.
function copyDatetime(source) {
  if (source.text === null) {
    return null;
  }
  const milliseconds = Number(source.unix_seconds) * 1000 + Math.floor(source.nanoseconds / 1e6);
  return { text: source.text, time: source.has_time ? new Date(milliseconds) : null };
}

const copyMember = {
  int64_t: (value) => BigInt(value), // koffi decodes small values to Numbers
  reply_datetime: copyDatetime,
};

// Copies a contact and frees it. The members have the header's names in camel case. A missing
// account or score is null.
function copyAndFree(pointer) {
  try {
    const { json_length, ...source } = koffi.decode(pointer, contactType);
    const contact = {};
    for (const [name, value] of Object.entries(source)) {
      if (!name.startsWith("has_")) {
        const copy = copyMember[contactMembers[name]] ?? ((other) => other);
        contact[camelCase(name)] = source[`has_${name}`] === false ? null : copy(value);
      }
    }
    contact.status = statusName(source.status);
    contact.subStatus = subStatusName(source.sub_status);
    return contact;
  } finally {
    freeContact(pointer);
  }
}

// ---- Client ----

// An API key, settings and connections, shared by any number of calls at the same time.
export class Client {
  #handle = null;
  #running = new Set(); // calls in progress

  // The settings have the header's names in camel case:
  // { baseUrl: "https://...", timeoutMs: 5000, headers: { "X-TEAM-ID": "7" } }.
  constructor(apiKey, { headers = {}, ...settings } = {}) {
    const handle = [null];
    const error = {};
    check(create(text(apiKey), handle, error), error);
    this.#handle = handle[0];
    try {
      for (const [name, value] of Object.entries(settings)) {
        if (!Object.hasOwn(setters, name)) {
          throw new TypeError(`unknown setting: ${name}`);
        }
        check(setters[name](this.#handle, value, error), error);
      }
      for (const [name, value] of Object.entries(headers)) {
        check(addHeader(this.#handle, text(name), text(value), error), error);
      }
    } catch (exception) {
      this.close();
      throw exception;
    }
  }

  close() {
    if (this.#running.size > 0) {
      throw new Error("cannot close the client: a call is in progress; await it");
    }
    destroy(this.#handle);
    this.#handle = null; // the library rejects NULL in later calls
  }

  // Ends all calls in progress with REPLY_ERROR_CANCELLED, and waits until they have ended. The
  // interrupt is repeated: it has no effect on a call that still waits for a thread.
  async interrupt() {
    const calls = [...this.#running];
    do {
      interrupt(this.#handle);
      await wait(50);
    } while (calls.some((call) => this.#running.has(call)));
  }

  async getSequenceContact(sequenceId, contactId) {
    const contact = [null];
    const error = {};
    check(await this.#run(getOne, exact(sequenceId), exact(contactId), contact, error), error);
    return copyAndFree(contact[0]);
  }

  // Fetches several contacts at once, and delivers each to onContact(contactId, contact, error) in
  // order of completion: a contact and null, or null and a ReplyError. If onContact throws, the
  // call stops and throws the same exception.
  async getSequenceContacts(sequenceId, contactIds, onContact) {
    const ids = BigInt64Array.from(contactIds, (contactId) => exact(contactId));
    const error = {};
    const thrown = [];
    const deliver = (index, result, contact, contactError) => {
      try {
        if (result === 0) {
          onContact(ids[index], copyAndFree(contact), null);
        } else {
          onContact(ids[index], null, new ReplyError(koffi.decode(contactError, errorType)));
        }
        return 0;
      } catch (exception) {
        thrown.push(exception); // koffi would discard the exception and continue
        return 1;
      }
    };
    const callArguments = [exact(sequenceId), ids, ids.length, deliver, null, error];
    const result = await this.#run(getMany, ...callArguments);
    if (thrown.length > 0) {
      throw thrown[0];
    }
    check(result, error);
  }

  // Returns an async iterator of all contacts of a sequence, in the service's order:
  //
  //     for await (const { contact, error } of client.listSequenceContacts(100n)) {
  //
  // contact is null if error is the ReplyError of a contact that cannot be read. The error that
  // ends the list is thrown. The end of the loop, also by break or an exception, ends the call at
  // its next contact, or immediately if the client has no other call in progress. Contacts that the
  // loop has not used yet are held in memory.
  listSequenceContacts(sequenceId) {
    return this.#generate(exact(sequenceId));
  }

  async *#generate(sequenceId) {
    const items = [];
    const thrown = [];
    let wake = () => {}; // called when there is an item, and at the end
    let hasStopped = false;
    const deliver = (_index, result, contact, contactError) => {
      try {
        const failed = result !== 0;
        items.push({
          contact: failed ? null : copyAndFree(contact),
          error: failed ? new ReplyError(koffi.decode(contactError, errorType)) : null,
        });
      } catch (exception) {
        thrown.push(exception); // koffi would discard the exception and continue
      }
      wake();
      return hasStopped || thrown.length > 0 ? 1 : 0;
    };
    const error = {};
    let hasEnded = false;
    const call = this.#run(list, sequenceId, deliver, null, error).finally(() => {
      hasEnded = true;
      wake();
    });
    try {
      while (items.length > 0 || !hasEnded) {
        if (items.length > 0) {
          yield items.shift();
        } else {
          await new Promise((resolve) => (wake = resolve));
        }
      }
      const result = await call;
      if (thrown.length > 0) {
        throw thrown[0];
      }
      check(result, error);
    } finally {
      hasStopped = true;
      if (!hasEnded && this.#running.size === 1) {
        await this.interrupt();
      }
      await call;
    }
  }

  async #run(call, ...callArguments) {
    const running = Symbol();
    this.#running.add(running);
    try {
      return await call(this.#handle, ...callArguments);
    } finally {
      this.#running.delete(running);
    }
  }
}
