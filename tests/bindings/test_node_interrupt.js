// test_node_interrupt.js --base-url BASE_URL - interrupts more calls than libuv has threads.

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
