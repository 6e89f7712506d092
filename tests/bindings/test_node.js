// test_node.js BASE_URL - checks the Node.js binding with the mock server.

import assert from "node:assert/strict";
import { Client } from "./replyio.js";

const baseUrl = process.argv[2];
const sameNames = [
  "email",
  "firstName",
  "lastName",
  "company",
  "title",
  "currentStep",
  "isOptedOut",
  "icpScore",
];

// Each member has the value of its field, up to the last one of the struct.
const client = new Client("key", { baseUrl, userAgent: "test/1", timeoutMs: 60000, maxRetries: 2 });
const contacts = await Promise.all(
  [12345n, 666n, 667n].map((id) => client.getSequenceContact(100n, id)),
);
for (const contact of contacts) {
  const sent = JSON.parse(contact.json);
  for (const name of sameNames) {
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
assert.deepEqual(
  contacts.map((contact) => contact.linkedinAccountId),
  [null, 9007199254740993n, null],
);
assert.deepEqual(
  contacts.map((contact) => contact.status),
  ["Active", "Unknown", "OutOfOffice"],
);
assert.equal(contacts[0].addingDate.time.toISOString(), "2024-03-08T10:00:00.000Z");
assert.equal(contacts[1].movingDate.time, null);
const firstDay = await client.getSequenceContact(100n, 669n);
assert.equal(firstDay.addingDate.time.toISOString(), "0001-01-01T00:00:00.000Z");
assert.equal(firstDay.nextSendAfter.time.toISOString(), "0000-12-31T19:00:00.000Z");

const stop = () => {
  throw new Error("mine");
};
await assert.rejects(client.getSequenceContact(100, 404), {
  code: "REPLY_ERROR_NOT_FOUND",
  httpStatus: 404,
});
await assert.rejects(client.getSequenceContact(100n, 2n ** 64n + 12345n), RangeError);
await assert.rejects(client.getSequenceContact(100, 2 ** 53), RangeError);
await assert.rejects(client.getSequenceContacts(100, [1, 2, 3], stop), { message: "mine" });
const invalidArgument = { code: "REPLY_ERROR_INVALID_ARGUMENT" };
assert.throws(() => new Client("key", { maxRetries: 11 }), invalidArgument);
for (const settings of [
  { maxRetries: 2 ** 32 },
  { maxRetries: 2n ** 32n + 1n },
  { timeoutMs: 2n ** 64n + 5n },
  { baseUrl: `${baseUrl}\0junk` },
  { headers: { "X-TEAM-ID\0": "7" } },
  { headers: { "X-TEAM-ID": "7\0" } },
]) {
  assert.throws(() => new Client("key", settings), RangeError);
}
const numericSettings = [
  "timeoutMs",
  "connectTimeoutMs",
  "attemptTimeoutMs",
  "maxRetries",
  "maxConcurrency",
  "pageSize",
];
for (const name of numericSettings) {
  for (const value of [0.5, 1.5, -0.5, NaN, Infinity, 2 ** 53]) {
    assert.throws(() => new Client("key", { [name]: value }), RangeError, `${name}: ${value}`);
  }
  for (const value of ["", "3", " 3 ", "0x3", true, false, null, undefined, [], [3], {}]) {
    assert.throws(() => new Client("key", { [name]: value }), TypeError, `${name}: ${value}`);
  }
  new Client("key", { [name]: 10 }).close();
  new Client("key", { [name]: 10n }).close();
}
for (const id of ["100", "", true]) {
  await assert.rejects(client.getSequenceContact(100n, id), TypeError, id);
  await assert.rejects(client.getSequenceContact(id, 100n), TypeError, id);
  await assert.rejects(client.getSequenceContacts(100n, [id], stop), TypeError, id);
}
assert.throws(() => new Client("key\0junk"), RangeError);
assert.throws(() => new Client("key", { baseUrl: Buffer.from(baseUrl) }), TypeError);
new Client("key", { headers: { "X-TEAM-ID": "7", "X-USER-ID": "8" } }).close();
assert.throws(() => new Client("key", { headers: { Host: "7" } }), invalidArgument);
const call = client.getSequenceContact(100, 1);
assert.throws(() => client.close(), /in progress/);
await call;
client.close();

// Lists: each contact once and in order, unreadable contacts, and the error that ends the list.
const lister = new Client("key", { baseUrl, pageSize: 100 });
async function collect(sequenceId, client = lister) {
  const items = [];
  for await (const item of client.listSequenceContacts(sequenceId)) {
    items.push(item);
  }
  return items;
}
const listed = await collect(201n);
assert.deepEqual(
  listed.map(({ contact }) => contact.contactId),
  Array.from({ length: 2500 }, (_, index) => BigInt(20001 + index)),
);
assert.equal(listed.filter(({ contact }) => contact.isOptedOut).length, 50);
assert.ok(listed.every(({ error }) => error === null));
assert.deepEqual(await collect(300), []);
const hostile = await collect(666);
assert.deepEqual(
  hostile.map(({ contact }) => contact?.contactId),
  [666n, 667n, 668n, 669n, 670n, undefined, undefined],
);
assert.match(hostile[5].error.message, /contact 671/);
assert.equal(hostile[5].error.code, "REPLY_ERROR_INVALID_RESPONSE");
const forbidden = [];
await assert.rejects(
  async () => {
    for await (const item of lister.listSequenceContacts(403)) {
      forbidden.push(item);
    }
  },
  { code: "REPLY_ERROR_FORBIDDEN", problemCode: "TEAM_NOT_ACCESSIBLE", requestId: "9e02bd" },
);
assert.equal(forbidden.length, 100);
assert.throws(() => lister.listSequenceContacts("100"), TypeError);
assert.throws(() => lister.listSequenceContacts(2 ** 53), RangeError);

// The loop may use the client. When it breaks off, the call has ended: the client can be closed.
for await (const { contact } of lister.listSequenceContacts(201)) {
  assert.equal(contact.contactId, 20001n);
  assert.equal((await lister.getSequenceContact(100, 12345)).contactId, 12345n);
  assert.throws(() => lister.close(), /in progress/);
  break;
}
await assert.rejects(async () => {
  for await (const _ of lister.listSequenceContacts(201)) {
    throw new Error("mine");
  }
}, /mine/);

// The end of a loop does not interrupt another call in progress: pages of sequence 200 take 0.3 s.
const slowClient = new Client("key", { baseUrl });
const slow = collect(200, slowClient);
for await (const _ of slowClient.listSequenceContacts(201)) {
  break;
}
assert.equal((await slow).length, 2500);
slowClient.close();
lister.close();
