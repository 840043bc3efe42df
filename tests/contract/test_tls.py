"""TLS: certificates that are renewed while a server runs."""

import socket
import ssl
from pathlib import Path

import pytest
import trustme

from tests.conftest import Serve, ServerProcess

pytestmark = pytest.mark.contract

WAIT = 10.0
"""Seconds that a handshake may take."""


class Renewal:
    """An authority, and the files that its certificates are written to."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "certificate.pem"
        self.key = folder / "key.pem"
        self.authority = trustme.CA()
        self.trusting = ssl.create_default_context()
        self.authority.configure_trust(self.trusting)

    def renew(self, *, key_first: bool = False) -> bytes:
        """Write another certificate, and return it as the server will show it."""
        issued = self.authority.issue_cert("127.0.0.1", "localhost")
        chain = issued.cert_chain_pems[0].bytes()
        writes = [(self.certificate, chain), (self.key, issued.private_key_pem.bytes())]
        for path, content in reversed(writes) if key_first else writes:
            path.write_bytes(content)
        return ssl.PEM_cert_to_DER_cert(chain.decode())

    def serve(self, serve: Serve) -> tuple[ServerProcess, int]:
        server = serve(
            *("-t", "streamable-http", "--port", "0", "--no-plugins"),
            *("--tls-certificate", str(self.certificate), "--tls-key", str(self.key)),
        )
        return server, int(server.url().rpartition(":")[2].partition("/")[0])

    def shown(self, port: int, name: str = "127.0.0.1") -> bytes:
        """The certificate that a new connection gets."""
        with self.connect(port, name) as connection:
            found = connection.getpeercert(binary_form=True)
        assert found is not None
        return found

    def connect(self, port: int, name: str = "127.0.0.1") -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", port), timeout=WAIT)
        return self.trusting.wrap_socket(plain, server_hostname=name)


@pytest.fixture
def renewal(tmp_path: Path) -> Renewal:
    return Renewal(tmp_path)


# An address has no server name indication, a host name has one.
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_renewed_certificate_is_used_by_new_connections_and_disturbs_no_open_one(
    serve: Serve, renewal: Renewal, name: str
) -> None:
    first = renewal.renew()
    server, port = renewal.serve(serve)
    before = renewal.shown(port, name)
    open_connection = renewal.connect(port, name)

    second = renewal.renew()
    after = renewal.shown(port, name)
    with open_connection:
        open_connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = open_connection.recv(100)

    assert first != second
    assert (before, after) == (first, second)
    assert answer.startswith(b"HTTP/1.1 200")
    server.wait_for("Read the TLS certificate .* again")


def test_half_a_renewal_keeps_the_old_certificate_until_the_other_half_is_there(
    serve: Serve, renewal: Renewal
) -> None:
    first = renewal.renew()
    server, port = renewal.serve(serve)
    key = renewal.key.read_bytes()
    second = renewal.renew()
    new_key = renewal.key.read_bytes()

    renewal.key.write_bytes(key)
    half = [renewal.shown(port) for _ in range(3)]
    renewal.key.unlink()
    none = renewal.shown(port)
    renewal.key.write_bytes(b"")
    empty = renewal.shown(port)
    renewal.key.write_bytes(new_key)
    whole = renewal.shown(port)

    assert half == [first] * 3
    assert (none, empty) == (first, first)
    assert whole == second
    server.wait_for("Read the TLS certificate .* again")
    assert sum("cannot be used" in line for line in server.lines) == 3
