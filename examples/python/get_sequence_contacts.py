"""Prints contacts of a Reply.io sequence, one per line, in order of their arrival.

    REPLY_API_KEY=KEY python3 get_sequence_contacts.py 100 12345

Needs libreplyio.so.0, installed or in a directory in LD_LIBRARY_PATH.

Exit status: 0 if all contacts were printed, 1 after an error or Ctrl-C, 2 for invalid usage.
"""

import argparse
import os
import signal
import sys

import replyio


def printable(text):
    """Replaces control characters: the text of a contact is untrusted."""
    if text is None:
        return "-"
    return "".join(character if character.isprintable() else "?" for character in text)


def parse_id(text):
    # int() alone would accept "1_0", " 10", "+10" and digits of other scripts.
    digits = text.lstrip("0")
    is_number = text.isascii() and digits.isdigit() and len(digits) < 20
    if not is_number or int(digits) >= 2**63:
        message = f'invalid id "{printable(text)}": must be a whole number from 1 to {2**63 - 1}'
        raise argparse.ArgumentTypeError(message)
    return int(digits)


def describe(contact):
    name = f"{printable(contact.first_name)} {printable(contact.last_name)}"
    parts = [
        f"{name} <{printable(contact.email)}>",
        printable(contact.status_text),
        f"step {contact.current_step}",
    ]
    if contact.linkedin_account_id is not None:
        parts.append(f"LinkedIn account {contact.linkedin_account_id}")
    if contact.is_opted_out:
        parts.append("OPTED OUT")
    return f"{contact.contact_id}: {', '.join(parts)}"


def format_reference(error):
    """Returns what Reply.io's support needs to find the request, or "" if nothing is known."""
    names = {"code": error.problem_code, "request": error.request_id}
    parts = [f"{name} {value}" for name, value in names.items() if value]
    return f" ({', '.join(parts)})" if parts else ""


def print_log(line):
    print(line, file=sys.stderr)


def parse_arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--base-url", default="https://api.reply.io/v4", metavar="URL")
    parser.add_argument(
        "--verbose", action="store_true", help="log each attempt and each wait to standard error"
    )
    parser.add_argument("sequence_id", type=parse_id, metavar="SEQUENCE_ID")
    parser.add_argument("contact_ids", type=parse_id, metavar="CONTACT_ID", nargs="+")
    options = parser.parse_args()
    options.log = print_log if options.verbose else None
    options.api_key = os.environ.get("REPLY_API_KEY")
    if not options.api_key:
        parser.error("REPLY_API_KEY is not set; set it to the API key")
    return options


def main():
    options = parse_arguments("Prints contacts of a Reply.io sequence.")
    failed_ids = []

    def on_contact(contact_id, contact, error):
        if error is None:
            print(describe(contact), flush=True)
        else:
            print(f"{error}{format_reference(error)}", file=sys.stderr)
            failed_ids.append(contact_id)

    try:
        with replyio.Client(options.api_key, base_url=options.base_url, log=options.log) as client:
            client.get_sequence_contacts(options.sequence_id, options.contact_ids, on_contact)
    except replyio.InvalidArgumentError as error:
        print(error, file=sys.stderr)
        return 2
    except replyio.ReplyError:
        return 1  # on_contact has printed the error
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 1
    return 1 if failed_ids else 0


def run(main):
    """Exits with the status of main, or as if by SIGPIPE if the reader of a pipe has exited."""
    try:
        try:
            status = main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.raise_signal(signal.SIGPIPE)
    sys.exit(status)


if __name__ == "__main__":
    run(main)
