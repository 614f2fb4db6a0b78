"""Every kernel that runs the book's notebooks starts here: only loopback may be reached."""

from pytest_socket import socket_allow_hosts

socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)
del socket_allow_hosts  # the notebook's namespace stays empty
