"""Prints contacts of a Reply.io sequence, fetched by several threads with one client.

    REPLY_API_KEY=KEY python3 share_client.py 100 12345 12346

Exit status: 0 if all contacts were printed, 1 after an error or Ctrl-C, 2 for invalid usage.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import replyio
from get_sequence_contacts import describe, format_reference, parse_arguments, run


def fetch(client, sequence_id, contact_id):
    """Returns the line to print, and True if it is a contact."""
    try:
        return describe(client.get_sequence_contact(sequence_id, contact_id)), True
    except replyio.NotFoundError as error:
        return f"{contact_id}: not in sequence {sequence_id}{format_reference(error)}", False
    except replyio.ReplyError as error:
        return f"{contact_id}: {error}{format_reference(error)}", False


def print_contacts(client, executor, options):
    """Returns True if all contacts were printed."""
    has_all = True
    calls = []
    try:
        for contact_id in options.contact_ids:
            calls.append(executor.submit(fetch, client, options.sequence_id, contact_id))
        for call in calls:
            line, is_contact = call.result()
            print(line, flush=True)
            has_all = has_all and is_contact
    except (KeyboardInterrupt, BrokenPipeError):
        # Discards the calls that no thread has started, then interrupts the others.
        executor.shutdown(wait=False, cancel_futures=True)
        client.interrupt(calls)
        raise
    return has_all


def main():
    options = parse_arguments("Prints contacts of a Reply.io sequence, fetched by several threads.")
    try:
        # The inner block ends first: all calls have returned when the client is destroyed.
        with replyio.Client(
            options.api_key, base_url=options.base_url, log=options.log
        ) as client, ThreadPoolExecutor(4) as executor:
            has_all = print_contacts(client, executor, options)
    except replyio.InvalidArgumentError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 1
    return 0 if has_all else 1


if __name__ == "__main__":
    run(main)
