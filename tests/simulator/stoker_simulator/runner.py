"""A runner: the process that holds a model. It is started by the server, as with Ollama.

It imports nothing but built-in modules, so that it takes 9 MiB and starts in 20 ms. What it knows
of time it is told: a line in, a line out. It lives on when its server dies, as Ollama's does.

    ping ID             pong ID
    say ID FIRST N      words ID word word …    the words of these numbers
    spin on|off                                 keeps a core busy, and goes on answering
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


def answer(line: str) -> str:
    """What the runner says to this line."""
    verb, number, *rest = line.split()
    if verb == "say":
        first, count = int(rest[0]), int(rest[1])
        return f"words {number} {' '.join(word(first + index) for index in range(count))}\n"
    return f"pong {number}\n"


def serve(connection: _socket.socket) -> None:
    """Answers until the server goes."""
    rest, spins = b"", False
    while True:
        if spins and not select.select([connection], [], [], 0)[0]:
            continue
        piece = connection.recv(PIECE_BYTES)
        if not piece:
            return
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"spin"):
                spins = line == b"spin on"
            else:
                connection.sendall(answer(line.decode()).encode())


def main() -> None:
    """Serves whoever connects to the socket that came as standard input."""
    listener = _socket.socket(fileno=0)
    while True:
        number, _ = listener._accept()  # type: ignore[attr-defined]  # noqa: SLF001 - `accept` is not built in
        connection = _socket.socket(fileno=number)
        try:  # noqa: SIM105 - contextlib would double what this process takes
            serve(connection)
        except OSError:
            # The server was killed; there may be another one.
            pass
        connection.close()


if __name__ == "__main__":
    main()
