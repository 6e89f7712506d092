// Prints contacts of a Reply.io sequence, one per line, in order of their arrival.
//
//     npm install && REPLY_API_KEY=KEY node get_sequence_contacts.js 100 12345
//
// Needs libreplyio.so.0, installed or in a directory in LD_LIBRARY_PATH.
//
// Exit status: 0 if all contacts were printed, 1 after an error, 2 for invalid usage.

import { parseArgs } from "node:util";
import { Client, ReplyError } from "./replyio.js";

// Replaces control characters: the text of a contact is untrusted.
function printable(text) {
  return text === null ? "-" : text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
}

function parseId(text) {
  const id = /^[0-9]+$/.test(text) ? BigInt(text) : 0n;
  if (id < 1n || id >= 2n ** 63n) {
    const limits = "must be a whole number from 1 to 9223372036854775807";
    throw new RangeError(`invalid id "${printable(text)}": ${limits}`);
  }
  return id;
}

function readArguments() {
  const { values, positionals } = parseArgs({
    options: { "base-url": { type: "string", default: "https://api.reply.io/v4" } },
    allowPositionals: true,
  });
  if (positionals.length < 2) {
    throw new Error("Usage: get_sequence_contacts.js [--base-url URL] SEQUENCE_ID CONTACT_ID...");
  }
  if (!process.env.REPLY_API_KEY) {
    throw new Error("REPLY_API_KEY is not set; set it to the API key");
  }
  const [sequenceId, ...contactIds] = positionals.map(parseId);
  const client = new Client(process.env.REPLY_API_KEY, { baseUrl: values["base-url"] });
  return { client, sequenceId, contactIds };
}

function describe(contact) {
  const name = `${printable(contact.firstName)} ${printable(contact.lastName)}`;
  const parts = [
    `${name} <${printable(contact.email)}>`,
    printable(contact.statusText),
    `step ${contact.currentStep}`,
  ];
  if (contact.linkedinAccountId !== null) {
    parts.push(`LinkedIn account ${contact.linkedinAccountId}`);
  }
  if (contact.isOptedOut) {
    parts.push("OPTED OUT");
  }
  return `${contact.contactId}: ${parts.join(", ")}`;
}

// Returns what Reply.io's support needs to find the request, or "" if nothing is known.
function formatReference(error) {
  const parts = [];
  if (error.problemCode !== null) {
    parts.push(`code ${error.problemCode}`);
  }
  if (error.requestId !== null) {
    parts.push(`request ${error.requestId}`);
  }
  return parts.length > 0 ? ` (${parts.join(", ")})` : "";
}

async function printContacts({ client, sequenceId, contactIds }) {
  // Node.js runs signal listeners on its event loop, not in a signal handler, so that interrupt is
  // allowed.
  const interrupt = () => client.interrupt();
  process.on("SIGINT", interrupt);
  try {
    await client.getSequenceContacts(sequenceId, contactIds, (contactId, contact, error) => {
      if (error === null) {
        console.log(describe(contact));
      } else {
        console.error(error.message + formatReference(error));
        process.exitCode = 1;
      }
    });
  } catch (error) {
    if (!(error instanceof ReplyError)) {
      throw error;
    }
    process.exitCode = 1; // the callback has printed the error
  } finally {
    process.off("SIGINT", interrupt);
    client.close();
  }
}

// Ends the process as if by SIGPIPE if the reader of a pipe has exited. Node.js ignores SIGPIPE;
// removing a listener restores the default action.
function handleWriteError(error) {
  if (error.code !== "EPIPE") {
    throw error;
  }
  process.on("SIGPIPE", handleWriteError);
  process.off("SIGPIPE", handleWriteError);
  process.kill(process.pid, "SIGPIPE");
}

process.stdout.on("error", handleWriteError);
process.stderr.on("error", handleWriteError);
let request = null;
try {
  request = readArguments();
} catch (error) {
  console.error(error.message);
  process.exitCode = 2;
}
if (request !== null) {
  await printContacts(request);
}
