# SPDX-License-Identifier: GPL-2.0-or-later
"""The way between guests and a real server: a port of this host that hands everything on, and can be slow or refuse."""
import contextlib
import socket
import threading
import time

from . import host

PIECE = 65536  # at a time; a slow link takes as much as it can hand on in PAUSE seconds
PAUSE = 0.25


class Link:
    """Guests connect to @port, which stays the same; @to is the server's, which may change. @rate: bytes per second in
    either direction, or None. Use as a context manager."""

    def __init__(self):
        self.to = self.rate = None
        self.sent = 0  # bytes from guests
        self._lock, self._open = threading.Lock(), set()
        self._listener = None
        self.accept(0)
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.refuse()

    def accept(self, port=None):
        """Connections, from now on."""
        self._listener = socket.create_server(("127.0.0.1", self.port if port is None else port))
        threading.Thread(target=self._serve, args=[self._listener], daemon=True).start()

    def is_open(self):
        """Can guests connect?"""
        return self._listener is not None

    def refuse(self):
        """No connection any more; those that there are end."""
        if self._listener:
            # Closing it would not wake the thread that waits for it.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._lock:
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _serve(self, listener):
        with contextlib.suppress(OSError):
            while True:
                guest, _ = listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.to))
                except OSError:
                    guest.close()
                    continue
                with self._lock:
                    self._open |= {guest, server}
                for ends in (guest, server, True), (server, guest, False):
                    threading.Thread(target=self._hand_on, args=ends, daemon=True).start()

    def _hand_on(self, source, to, counts):
        """Until either end is closed."""
        with contextlib.suppress(OSError):
            while data := source.recv(PIECE if self.rate is None else max(1, int(self.rate * PAUSE))):
                to.sendall(data)
                if counts:
                    self.sent += len(data)
                if self.rate is not None:
                    time.sleep(len(data) / self.rate)
        for end in (source, to):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open -= {source}
        source.close()


@contextlib.contextmanager
def tagged(vlan):
    """A switch with two ports, for QEMU's netdevs of type socket: their words, of the port that has frames of VLAN @vlan
    alone, each with its tag (802.1Q), and of the one that has the same without it."""
    tag = b"\x81\x00" + vlan.to_bytes(2, "big")
    guests = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    ports = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for end in guests + ports:
        end.bind(("127.0.0.1", 0))
    theirs = [end.getsockname() for end in guests]
    for end in guests:  # QEMU binds them
        end.close()
    stop = threading.Event()

    def untag(frame):
        return frame[:12] + frame[16:] if frame[12:16] == tag else b""

    def hand_on(source, to, number, change):
        source.settimeout(0.5)
        while not stop.is_set():
            with contextlib.suppress(OSError):
                frame = change(source.recv(1 << 16))
                if frame:
                    to.sendto(frame, theirs[number])

    threads = [threading.Thread(target=hand_on, args=words, daemon=True) for words in (
        (ports[0], ports[1], 1, untag), (ports[1], ports[0], 0, lambda frame: frame[:12] + tag + frame[12:]))]
    for thread in threads:
        thread.start()
    try:
        yield [f"udp=127.0.0.1:{port.getsockname()[1]},localaddr=127.0.0.1:{their[1]}" for port, their in zip(ports, theirs)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for port in ports:
            port.close()


def processes_below(top):
    """The process @top and all its descendants."""
    parents = {}
    for line in host.run("ps", "-eo", "pid=,ppid=").splitlines():
        pid, parent = line.split()
        parents.setdefault(int(parent), []).append(int(pid))
    found = [top]
    for pid in found:
        found += parents.get(pid, ())
    return found
