"""Certificate authority of the test's own, and servers' certificates by it."""

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


class Authority:
    """Authority that signs certificates; `trust` is the context of a client that trusts it alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Authority of a test")
        self._certificate = self._sign(
            self._name, self._key.public_key(), [], _DAY, authority=True, issuer_key=self._key
        )

    def trust(self) -> ssl.SSLContext:
        pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()
        return ssl.create_default_context(cadata=pem)

    def file(self) -> Path:
        """Return a file with its certificate, as a setting names it."""
        file = self._folder / f"authority-{self._certificate.serial_number}.pem"
        file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        return file

    def server(
        self, *names: str, ends_in: datetime.timedelta = _DAY, self_signed: bool = False
    ) -> ssl.SSLContext:
        """Return a server's context with a certificate for these names and addresses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server_file(*names, ends_in=ends_in, self_signed=self_signed))
        return context

    def server_file(self, *names: str, ends_in: datetime.timedelta = _DAY, self_signed: bool = False) -> Path:
        """Return a file with the key and a certificate for these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [_alternative(name) for name in names]
        issuer_key = key if self_signed else self._key
        certificate = self._sign(
            _name(names[0]), key.public_key(), alternatives, ends_in, authority=False, issuer_key=issuer_key
        )
        file = self._folder / f"{certificate.serial_number}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return file

    def _sign(
        self,
        subject: x509.Name,
        public_key: ec.EllipticCurvePublicKey,
        alternatives: list[x509.GeneralName],
        ends_in: datetime.timedelta,
        *,
        authority: bool,
        issuer_key: ec.EllipticCurvePrivateKey,
    ) -> x509.Certificate:
        ends = datetime.datetime.now(datetime.UTC) + ends_in
        issuer = self._name if issuer_key is self._key else subject
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(ends - 3 * _DAY)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return builder.sign(issuer_key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
