"""Runs inside a network namespace and hands out its sockets: argv[1] is a Unix socket to its parent, by number.

Each message that comes in is answered with one new TCP socket; a socket belongs to the namespace it was made in,
whoever uses it. Ends when the parent closes its side. Standard library only: it is started by its path.
"""

import fcntl
import socket
import struct
import sys

GET_FLAGS, SET_FLAGS, SET_ADDRESS, SET_MASK = 0x8913, 0x8914, 0x8916, 0x891C  # SIOC?IF* of <linux/sockios.h>
UP = 0x1


def main() -> None:
    parent = socket.socket(fileno=int(sys.argv[1]))
    bring_up(address=sys.argv[2], mask=sys.argv[3])
    parent.send(b"ready")
    while parent.recv(16):
        with socket.socket() as made:
            socket.send_fds(parent, [b"socket"], [made.fileno()])


def bring_up(address: str, mask: str) -> None:
    """On the loopback device the whole network of an address is local, as 127.0.0.0/8 is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        answer = fcntl.ioctl(asking, GET_FLAGS, struct.pack("16sh22x", b"lo", 0))
        (flags,) = struct.unpack_from("h", answer, 16)
        fcntl.ioctl(asking, SET_FLAGS, struct.pack("16sh22x", b"lo", flags | UP))
        fcntl.ioctl(asking, SET_ADDRESS, _request("lo:1", address))
        fcntl.ioctl(asking, SET_MASK, _request("lo:1", mask))


def _request(device: str, address: str) -> bytes:
    return struct.pack("16sHH4s16x", device.encode(), socket.AF_INET, 0, socket.inet_aton(address))


if __name__ == "__main__":
    main()
