"""Prints contacts of a Reply.io sequence, a line each, as they come. REPLY_API_KEY holds the API key.

Exit status: 0 all contacts printed, 1 something failed or Ctrl-C, 2 wrong usage.

    REPLY_API_KEY=KEY python3 get_sequence_contacts.py 100 12345

with libreplyio.so.0 installed, or with its folder in LD_LIBRARY_PATH.
"""

import argparse
import os
import sys

import replyio


def identifier(text):
    number = int(text)
    if not 0 < number < 2**63:
        raise ValueError
    return number


def printable(text):
    """A contact's text is a stranger's: a terminal must not obey it."""
    return "-" if text is None else "".join(letter if letter.isprintable() else "?" for letter in text)


def describe(contact):
    name = f"{printable(contact.first_name)} {printable(contact.last_name)} <{printable(contact.email)}>"
    parts = [name, printable(contact.status_text), f"step {contact.current_step}"]
    if contact.linkedin_account_id is not None:
        parts.append(f"LinkedIn account {contact.linkedin_account_id}")
    if contact.is_opted_out:
        parts.append("OPTED OUT")
    return f"{contact.contact_id}: {', '.join(parts)}"


def print_log(line):
    print(line, file=sys.stderr)


def parse_arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--base-url", default="https://api.reply.io/v4", metavar="URL")
    parser.add_argument("--verbose", action="store_true", help="tell of each attempt and each wait on standard error")
    parser.add_argument("sequence_id", type=identifier, metavar="SEQUENCE_ID")
    parser.add_argument("contact_ids", type=identifier, metavar="CONTACT_ID", nargs="+")
    options = parser.parse_args()
    options.log = print_log if options.verbose else None
    options.api_key = os.environ.get("REPLY_API_KEY")
    if not options.api_key:
        parser.error("the environment variable REPLY_API_KEY is not set: put the API key there")
    return options


def main():
    options = parse_arguments("Prints contacts of a Reply.io sequence.")
    failed = []

    def on_contact(contact_id, contact, error):
        if error is None:
            print(describe(contact), flush=True)
        else:
            print(error, file=sys.stderr)
            failed.append(contact_id)

    try:
        with replyio.Client(options.api_key, base_url=options.base_url, log=options.log) as client:
            client.get_sequence_contacts(options.sequence_id, options.contact_ids, on_contact)
    except replyio.InvalidArgumentError as error:
        print(error, file=sys.stderr)
        return 2
    except replyio.ReplyError:
        return 1  # a contact was delivered with it, and it has been printed
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
