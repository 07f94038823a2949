"""Key pairs, made by the program that Go's own library ships for it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from controller.testing.cluster_parts.patience import LOOPBACK
from controller.testing.cluster_parts.programs import program


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Files in PEM. The certificate is its own authority: a client trusts the server by `cert`."""

    cert: Path
    key: Path


def key_pair(folder: Path, hosts: str = f"{LOOPBACK},localhost") -> KeyPair:
    """Write cert.pem and key.pem into `folder`, valid for a day and for `hosts` (with commas between)."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["--host", hosts, "--ca", "--ecdsa-curve", "P256", "--duration", "24h"]
    subprocess.run([program("generate_cert"), *words], cwd=folder, check=True, capture_output=True, timeout=30)
    return KeyPair(folder / "cert.pem", folder / "key.pem")
