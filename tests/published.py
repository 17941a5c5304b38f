"""The built pages as a server such as GitHub Pages shows them: below the name of the repository, with 404.html."""

from __future__ import annotations

import http.server
import threading
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from sources import CONFIG

PREFIX = "/some-repo/"
OWNER, NAME = urlsplit(CONFIG["repository"]["url"]).path.strip("/").split("/")
ADDRESS = f"https://{OWNER}.github.io/{NAME}/"


@contextmanager
def served_below(folder: Path):
    """Serve a folder below ``PREFIX``, and nothing else; give its address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path):
            inside = path.startswith(PREFIX)
            return super().translate_path(path.removeprefix(PREFIX[:-1]) if inside else "/nothing here")

        def send_error(self, code, message=None, explain=None):
            body = (folder / "404.html").read_bytes() if self.path.startswith(PREFIX) else b"nothing here"
            self.send_response(code)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format, *args):
            pass

    def handler(*args):
        return Handler(*args, directory=str(folder))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{PREFIX}"
        server.shutdown()
