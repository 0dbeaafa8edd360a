"""`python signatures.py SECONDS`: how many RSA-2048 signatures all cores make in a second, with nothing around them.

OpenSSL by way of cryptography, a process for each core, each with one key and 600 octets to sign, as a header has them.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256


def rate(seconds: float) -> float:
    """Of one core."""
    key, padding, digest, octets = generate_private_key(65537, 2048), PKCS1v15(), SHA256(), bytes(600)
    started, count = time.monotonic(), 0
    while time.monotonic() - started < seconds:
        key.sign(octets, padding, digest)
        count += 1
    return count / (time.monotonic() - started)


def main() -> None:
    """All cores at once."""
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores) as pool:
        print(sum(pool.map(rate, [float(sys.argv[1])] * cores)))


if __name__ == "__main__":
    main()
