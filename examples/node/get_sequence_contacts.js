// Prints contacts of a Reply.io sequence, a line each, as they come. REPLY_API_KEY holds the API key.
// Exit status: 0 all contacts printed, 1 something failed, 2 wrong usage.
//
//     npm install && REPLY_API_KEY=KEY node get_sequence_contacts.js 100 12345
//
// with libreplyio.so.0 installed, or with its folder in LD_LIBRARY_PATH.

import { parseArgs } from "node:util";
import { Client, ReplyError } from "./replyio.js";

function parseId(text) {
  const id = /^[0-9]+$/.test(text) ? BigInt(text) : 0n;
  if (id < 1n || id >= 2n ** 63n) {
    throw new RangeError(`"${text}" is not an id`);
  }
  return id;
}

function readArguments() {
  const { values, positionals } = parseArgs({ options: { "base-url": { type: "string" } }, allowPositionals: true });
  if (positionals.length < 2) {
    throw new Error("Usage: get_sequence_contacts.js [--base-url URL] SEQUENCE_ID CONTACT_ID...");
  }
  if (!process.env.REPLY_API_KEY) {
    throw new Error("the environment variable REPLY_API_KEY is not set: put the API key there");
  }
  const [sequenceId, ...contactIds] = positionals.map(parseId);
  const client = new Client(process.env.REPLY_API_KEY, { baseUrl: values["base-url"] ?? "https://api.reply.io/v4" });
  return { client, sequenceId, contactIds };
}

// A contact's text is a stranger's: a terminal must not obey it.
function printable(text) {
  return text === null ? "-" : text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?");
}

function describe(contact) {
  const name = `${printable(contact.firstName)} ${printable(contact.lastName)} <${printable(contact.email)}>`;
  const parts = [name, printable(contact.statusText), `step ${contact.currentStep}`];
  if (contact.linkedinAccountId !== null) {
    parts.push(`LinkedIn account ${contact.linkedinAccountId}`);
  }
  if (contact.isOptedOut) {
    parts.push("OPTED OUT");
  }
  return `${contact.contactId}: ${parts.join(", ")}`;
}

async function printContacts({ client, sequenceId, contactIds }) {
  // A signal comes to JavaScript between two events, where the library may be called. The call that it ends is awaited below.
  const stop = () => client.interrupt();
  process.on("SIGINT", stop);
  try {
    await client.getSequenceContacts(sequenceId, contactIds, (contactId, contact, error) => {
      if (error === null) {
        console.log(describe(contact));
      } else {
        console.error(error.message);
        process.exitCode = 1;
      }
    });
  } catch (error) {
    if (!(error instanceof ReplyError)) {
      throw error;
    }
    process.exitCode = 1; // a contact was delivered with it, and it has been printed
  } finally {
    process.off("SIGINT", stop);
    client.close();
  }
}

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
