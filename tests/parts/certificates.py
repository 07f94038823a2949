"""A TLS certificate for loopback, made by the program that Go's own library ships for it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.parts.net import LOOPBACK
from tests.parts.tools import go_tool


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM. It is its own authority: a client trusts it by `cert`."""

    cert: Path
    key: Path


def self_signed(folder: Path) -> Certificate:
    """Write cert.pem and key.pem, valid for a day for 127.0.0.1 and localhost, into `folder`."""
    words = ["--host", f"{LOOPBACK},localhost", "--ca", "--ecdsa-curve", "P256", "--duration", "24h"]
    subprocess.run([go_tool("generate_cert"), *words], cwd=folder, check=True, capture_output=True)
    return Certificate(folder / "cert.pem", folder / "key.pem")
