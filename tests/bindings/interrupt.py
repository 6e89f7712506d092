"""interrupt.py COMMAND... - sends Ctrl-C to a program that waits for a rate limit.

The exit status is the program's, or 99 if it does not end within 3 s.
"""

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
# The program would inherit an ignored SIGINT from a background job of a shell.
signal.signal(signal.SIGINT, signal.SIG_DFL)
base_url = f"http://127.0.0.1:{server.server_port}/v4"
program = subprocess.Popen([*sys.argv[1:], "--base-url", base_url, "100", *"123456"])
if not has_limited.wait(30):
    program.kill()
    sys.exit("the program has not sent a request")
time.sleep(0.2)  # until the wait has begun; an earlier interrupt also ends the call
program.send_signal(signal.SIGINT)
try:
    sys.exit(program.wait(3))
except subprocess.TimeoutExpired:
    program.kill()
    sys.exit(99)
