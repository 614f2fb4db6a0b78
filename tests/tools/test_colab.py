"""Colab's list of packages becomes constraints; the server is one of this machine."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tools import colab

LIST = """\
accelerate==1.11.0
-e git+https://example.org/x#egg=x
google-colab @ file:///colabtools/dist/google_colab-1.0.0.tar.gz
numpy==2.1.3
nx-cugraph-cu12 @ https://example.org/nx_cugraph.whl
torch @ https://example.org/torch-2.8.0.whl
torchao==0.10.0+cu126
typing_extensions==4.15.0
zipp==3.23.0
"""


@pytest.fixture
def serve():
    """Return a function that serves a text and returns its address."""
    servers = []

    def start(text, status=200):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *arguments):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/pip-freeze.txt"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_what_an_index_serves_is_kept(serve):
    assert colab.constraints(serve(LIST)).splitlines() == [
        "accelerate==1.11.0",
        "numpy==2.1.3",
        "typing_extensions==4.15.0",
        "zipp==3.23.0",
    ]


@pytest.mark.parametrize(("text", "status"), [("<html>", 200), (LIST, 404), (LIST, 503)])
def test_what_is_no_list_is_refused(serve, text, status):
    with pytest.raises(ValueError, match=r"no list of packages|cannot fetch"):
        colab.constraints(serve(text, status))


def test_a_server_that_is_not_there():
    with pytest.raises(ValueError, match="cannot fetch Colab's list"):
        colab.constraints("http://127.0.0.1:9/x")
