"""What is handed from the command to the measurements that it starts."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bed.layout import Bed


@dataclass(frozen=True)
class Order:
    """What to measure."""

    bed: Bed
    size: int
    samples: int
    """Of each latency."""
    quiet_seconds: int
    peer: Path
    """Where the peer notes its price."""

    @classmethod
    def told(cls) -> Self:
        """From the command line."""
        bed, size, samples, quiet, peer = sys.argv[1:]
        return cls(Bed(bed), int(size), int(samples), int(quiet), Path(peer))

    def words(self) -> list[str]:
        """For the command line."""
        rest = (self.size, self.samples, self.quiet_seconds, self.peer)
        return [self.bed.name, *map(str, rest)]
