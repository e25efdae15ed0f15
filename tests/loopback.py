"""A web server on this machine, for tests of downloads."""

import gzip
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """An HTTP server that answers with what `answers` says of a path: the bytes, or in words what goes wrong.

    A list is a file's answers one after the other, the last one for ever.
    """

    def __init__(self) -> None:
        self.answers: dict[str, bytes | str | list[bytes | str]] = {}
        self.asked: Counter[str] = Counter()
        self.sent = 0
        """Bytes of answers that do not end."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked[self.path] += 1
                answer = outer.answers.get(self.path, "missing")
                if isinstance(answer, list):
                    answer = answer.pop(0) if len(answer) > 1 else answer[0]
                if isinstance(answer, bytes):
                    self.reply(answer, len(answer))
                elif answer == "cut short":
                    self.reply(gzip.compress(b"hello world")[:-4], 31)
                elif answer == "endless":
                    self.send_response(200)
                    self.end_headers()
                    while True:
                        outer.sent += self.wfile.write(bytes(1 << 15))
                elif answer == "slow":
                    time.sleep(1)
                elif answer == "silent":
                    self.close_connection = True
                else:
                    self.send_error(503 if answer == "busy" else 404)

            def reply(self, content: bytes, announced: int) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(announced))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *_: None  # a client that goes away is part of the tests

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http.server_port}{path}"
