"""A runner: the process that holds a model. It is started by the server, as with Ollama.

It imports nothing but built-in modules, so that it takes 9 MiB and starts in 20 ms. It lives on
when its server dies, as Ollama's does.

Over TCP it is asked as Ollama asks its runners, a request at a time on a connection:

    health NUMBER       ok                      from now on the connection has this number
    answer              word word …             lines of words, when orders say so

What it knows of time comes as orders, over a socket of its own that nobody sees who watches TCP:

    say NUMBER FIRST N  the words of these numbers go over the connection of that number
    spin on|off         keeps a core busy, and goes on answering
"""

import _socket
import select

WORDS = [
    "coal",
    "fire",
    "steam",
    "boiler",
    "ash",
    "ember",
    "glow",
    "heat",
    "smoke",
    "iron",
    "shovel",
    "grate",
    "furnace",
    "flue",
    "spark",
    "hot",
    "water",
    "gauge",
    "valve",
    "whistle",
    "piston",
    "wheel",
    "track",
    "engine",
    "driver",
    "stoker",
    "cinder",
    "warm",
    "flame",
    "draft",
]

PIECE_BYTES = 65536


def word(number: int) -> str:
    """The word of this number: the neighbours of a number have other words."""
    mixed = (number * 6364136223846793005 + 1442695040888963407) % 2**64
    mixed = (mixed ^ mixed >> 33) * 0xFF51AFD7ED558CCD % 2**64
    return WORDS[(mixed >> 33) % len(WORDS)]


class Runner:
    """Answers whoever connects to `listener`, and does what it is ordered to."""

    def __init__(self, listener: _socket.socket, orders: _socket.socket) -> None:
        self.listener = listener
        self.orders = orders
        self.sources = [listener, orders]
        self.rests: dict[_socket.socket, bytes] = {}
        self.numbered: dict[bytes, _socket.socket] = {}
        self.spins = False

    def turn(self) -> None:
        """Waits until something comes, unless it has to spin, and does what that asks for."""
        ready, _, _ = select.select(self.sources, [], [], 0 if self.spins else None)
        for source in ready:
            if source is self.listener:
                self.accept()
                continue
            for line in self.lines(source):
                if source is self.orders:
                    self.obey(*line.split())
                else:
                    self.hear(source, *line.split())

    def accept(self) -> None:
        number, _ = self.listener._accept()  # type: ignore[attr-defined]  # noqa: SLF001 - `accept` is not built in
        connection = _socket.socket(fileno=number)
        # As Go does: a word goes out at once, and not when the last one has been acknowledged.
        connection.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self.sources.append(connection)

    def lines(self, source: _socket.socket) -> list[bytes]:
        """What has come in whole; the source is forgotten when it has ended."""
        try:
            piece = source.recv(PIECE_BYTES)
        except OSError:
            piece = b""
        if not piece:
            self.forget(source)
            return []
        *lines, self.rests[source] = (self.rests.get(source, b"") + piece).split(b"\n")
        return lines

    def forget(self, source: _socket.socket) -> None:
        self.sources.remove(source)
        self.rests.pop(source, None)
        self.numbered = {key: each for key, each in self.numbered.items() if each is not source}
        if source is self.orders:
            # The server was killed; nobody will tell when the work is done.
            self.spins = False
        source.close()

    def hear(self, connection: _socket.socket, verb: bytes, number: bytes = b"") -> None:
        if verb == b"health":
            self.numbered[number] = connection
            send(connection, "ok")

    def obey(self, verb: bytes, what: bytes, first: bytes = b"0", count: bytes = b"0") -> None:
        if verb == b"spin":
            self.spins = what == b"on"
        elif what in self.numbered:
            words = [word(int(first) + index) for index in range(int(count))]
            send(self.numbered[what], " ".join(words))


def send(connection: _socket.socket, line: str) -> None:
    try:  # noqa: SIM105 - contextlib would double what this process takes
        connection.sendall(line.encode() + b"\n")
    except OSError:
        # Whoever asked has gone; the next turn finds the end of the connection.
        pass


def main() -> None:
    """Serves; the listening socket is standard input, and orders come by standard output."""
    runner = Runner(_socket.socket(fileno=0), _socket.socket(fileno=1))
    while True:
        runner.turn()


if __name__ == "__main__":
    main()
