"""The certificates of a bed: one authority, and one certificate per program that talks."""

import subprocess
from pathlib import Path

DAYS = "30"
EC_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def make_authority(folder: Path) -> None:
    """Makes ca.crt and ca.key, and the key pair that signs service account tokens."""
    folder.mkdir(parents=True, mode=0o700)
    _openssl(
        folder, "req", "-x509", *EC_KEY, "-days", DAYS, "-subj", "/CN=stoker-bed",
        "-keyout", "ca.key", "-out", "ca.crt",
    )  # fmt: skip
    _openssl(folder, "genpkey", "-algorithm", "RSA", "-out", "service-account.key")


def make_certificate(
    folder: Path, name: str, common_name: str, group: str = "", addresses: tuple[str, ...] = ()
) -> None:
    """Makes NAME.crt and NAME.key for a client, and for a server that is reached at `addresses`."""
    subject = (f"/O={group}" if group else "") + f"/CN={common_name}"
    alternatives = ["-addext", f"subjectAltName={','.join(addresses)}"] if addresses else []
    _openssl(
        folder, "req", "-x509", *EC_KEY, "-days", DAYS, "-subj", subject, *alternatives,
        "-addext", "basicConstraints=critical,CA:FALSE",
        "-addext", "extendedKeyUsage=clientAuth,serverAuth",
        "-CA", "ca.crt", "-CAkey", "ca.key", "-keyout", f"{name}.key", "-out", f"{name}.crt",
    )  # fmt: skip


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
