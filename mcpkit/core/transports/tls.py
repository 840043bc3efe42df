"""TLS of the HTTP port: a certificate and its key, read again when their files change.

Certificates are renewed while the server runs. Each handshake looks at the files, and uses what
they hold; connections that are open already are not disturbed.
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from mcpkit.core.errors import ServeError
from mcpkit.core.settings import HttpSettings

logger = logging.getLogger(__name__)

State = tuple[tuple[int, int, int], ...]
"""What changes when a file is written anew or replaced: inode, size and time, of both files."""


def tls_context(settings: HttpSettings) -> ssl.SSLContext | None:
    """Load certificate and key, if they are set, and follow their changes.

    Raises:
        ServeError: A file is missing, or certificate and key do not belong together.
    """
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    for name, path in (("certificate", settings.tls_certificate), ("key", settings.tls_key)):
        if not Path(path).is_file():
            raise ServeError(
                f"The TLS {name} {path!r} does not exist", hint=f"Check http.tls_{name}"
            )
    password = settings.tls_key_password
    files = CertificateFiles(
        settings.tls_certificate,
        settings.tls_key,
        # Without one given, OpenSSL would ask at the terminal.
        password.get_secret_value() if password else "",
    )
    try:
        return files.context()
    except (ssl.SSLError, OSError) as exc:
        raise ServeError(
            f"The TLS certificate {settings.tls_certificate!r} or its key cannot be used: {exc}",
            hint="Both must be PEM files that belong together; set http.tls_key_password if needed",
        ) from exc


class CertificateFiles:
    """Files of a certificate and its key, which are replaced from time to time.

    Args:
        certificate: PEM file with the chain.
        key: PEM file with the private key.
        password: Of the key; empty for none.
    """

    def __init__(self, certificate: str, key: str, password: str) -> None:
        self._certificate = certificate
        self._key = key
        self._password = password
        self._state: State | None = None
        self._current: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """A context whose handshakes use what the files hold at that time.

        Raises:
            OSError: A file cannot be read, or they do not belong together (`ssl.SSLError`).
        """
        self._state = self._look()
        context = self._current = self._load()
        context.sni_callback = self._choose  # called without a server name as well
        return context

    def _choose(self, connection: ssl.SSLObject, name: str, context: ssl.SSLContext) -> None:
        """Give a connection the newest certificate that can be used."""
        self._reload()
        if self._current is not None:
            connection.context = self._current

    def _reload(self) -> None:
        """Load the files if they have changed; what cannot be used is told once, and not used."""
        state = self._look()
        if state == self._state:
            return
        self._state = state
        try:
            self._current = self._load()
        except OSError as exc:  # also that of `ssl`; perhaps only one of the two is new yet
            logger.warning(
                "The TLS certificate %r or its key has changed and cannot be used, so the old one "
                "is: %s",
                self._certificate,
                exc,
            )
            return
        logger.info("Read the TLS certificate %r again", self._certificate)

    def _look(self) -> State | None:
        """What the files are now; None when one is missing."""
        try:
            found = [Path(path).stat() for path in (self._certificate, self._key)]
        except OSError:
            return None
        return tuple((status.st_ino, status.st_size, status.st_mtime_ns) for status in found)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate, self._key, password=self._password)
        return context
