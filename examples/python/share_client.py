"""Prints contacts of a Reply.io sequence, fetched by threads that share one client. REPLY_API_KEY holds the API key.

Exit status: 0 all contacts printed, 1 something failed or Ctrl-C, 2 wrong usage.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import replyio
from get_sequence_contacts import describe, parse_arguments


def fetch(client, sequence_id, contact_id):
    """Returns the line to print, and whether there was a contact."""
    try:
        return describe(client.get_sequence_contact(sequence_id, contact_id)), True
    except replyio.NotFoundError:
        return f"{contact_id}: not in sequence {sequence_id}", False
    except replyio.ReplyError as error:
        return f"{contact_id}: {error}", False


def main():
    options = parse_arguments("Prints contacts of a Reply.io sequence, fetched by several threads.")
    has_all = True
    try:
        # The threads' block ends before the client's: no call is running when the client is destroyed.
        with replyio.Client(options.api_key, base_url=options.base_url, log=options.log) as client, ThreadPoolExecutor(4) as executor:
            calls = []
            try:
                for contact_id in options.contact_ids:
                    calls.append(executor.submit(fetch, client, options.sequence_id, contact_id))
                for call in calls:
                    line, is_contact = call.result()
                    print(line, flush=True)
                    has_all = has_all and is_contact
            except KeyboardInterrupt:
                executor.shutdown(wait=False, cancel_futures=True)  # the calls that no thread has taken up
                client.interrupt(calls)  # the others
                raise
    except replyio.InvalidArgumentError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 1
    return 0 if has_all else 1


if __name__ == "__main__":
    sys.exit(main())
