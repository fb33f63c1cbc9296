"""The certificate of the encrypted port: made on start, signed by itself, trusted by asking.

Clients that only speak https and wss need one. It is good for this machine's own names and
for the address that is listened on, and nobody trusts it who was not told to.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.errors import BadStart

LIFE = timedelta(days=398)
RENEWED = timedelta(days=30)
SKEW = timedelta(hours=1)
NAMES = ("localhost", "127.0.0.1", "::1")
OWNER_ONLY = 0o600


@dataclass(frozen=True)
class Lock:
    """What the encrypted port is opened with, and the certificate to trust, in PEM."""

    context: ssl.SSLContext
    certificate: bytes


def make_lock(host: str, kept: str | None) -> Lock:
    """Make a certificate for a host, or take the one that a file keeps while it is good.

    Args:
        host: The address that is listened on.
        kept: The file for key and certificate, which survive a restart; none for memory.
    """
    names = tuple(dict.fromkeys((*NAMES, host)))
    if kept is None:
        with TemporaryDirectory() as folder:
            return _lock(_written(Path(folder) / "pem", _make(names)))
    path = Path(kept)
    try:
        if not _good(path, names):
            _written(path, _make(names))
        return _lock(path)
    except (OSError, ValueError, x509.ExtensionNotFound) as error:
        msg = f"the certificate file {kept} cannot be used: {error}"
        raise BadStart(msg, 2) from error


def _written(path: Path, pem: bytes) -> Path:
    path.touch(OWNER_ONLY)
    path.write_bytes(pem)
    return path


def _lock(path: Path) -> Lock:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(path)
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return Lock(context, certificate.public_bytes(serialization.Encoding.PEM))


def _good(path: Path, names: tuple[str, ...]) -> bool:
    if not path.exists():
        return False
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    lasts = certificate.not_valid_after_utc - datetime.now(UTC)
    return lasts > RENEWED and set(_alternatives(names)) <= set(found)


def _alternatives(names: tuple[str, ...]) -> list[x509.GeneralName]:
    made: list[x509.GeneralName] = []
    for name in names:
        address = None
        with suppress(ValueError):
            address = ip_address(name)
        made.append(x509.DNSName(name) if address is None else x509.IPAddress(address))
    return made


def _make(names: tuple[str, ...]) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox exchange")])
    identity = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    signer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identity)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(identity, critical=False)
        .add_extension(signer, critical=False)
        .add_extension(usage, critical=False)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)
