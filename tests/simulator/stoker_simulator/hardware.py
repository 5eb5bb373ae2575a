"""How fast this machine is: a model of what limits a runner, which is reading memory.

The figures are round ones for ordinary hardware, not measurements; all can be set.
"""

from dataclasses import dataclass, field

from stoker_simulator.memory import Demand, Machine

# A tiny model is not quicker than this: it also has to be asked.
LEAST_WORD_SECONDS = 0.002
LEAST_PROMPT_SECONDS = 0.000_02
# How many tokens of a prompt are read in the time of one word.
CPU_BATCH = 2
GPU_BATCH = 50
# The first answer of a runner waits for kernels and graphs; a share of the load's time.
COLD_SHARE = 0.25


@dataclass(frozen=True)
class Hardware:
    """A machine; bytes and bytes per second."""

    machine: Machine = field(default_factory=Machine)
    gpu_name: str = "Stoker Simulated GPU"
    disk_bandwidth: float = 1e9
    network_bandwidth: float = 100e6
    cpu_bandwidth: float = 20e9
    gpu_bandwidth: float = 1000e9

    def load_seconds(self, demand: Demand) -> float:
        """How long the weights take from the disk into memory."""
        return demand.weights_bytes / self.disk_bandwidth

    def word_seconds(self, demand: Demand, gpu_share: float) -> float:
        """How long one word takes: all weights are read once, where they are."""
        cpu = demand.weights_bytes * (1 - gpu_share) / self.cpu_bandwidth
        gpu = demand.weights_bytes * gpu_share / self.gpu_bandwidth
        return max(LEAST_WORD_SECONDS, cpu + gpu)

    def prompt_seconds(self, demand: Demand, gpu_share: float, tokens: int) -> float:
        """How long a prompt takes, before the first word."""
        cpu = demand.weights_bytes * (1 - gpu_share) / self.cpu_bandwidth / CPU_BATCH
        gpu = demand.weights_bytes * gpu_share / self.gpu_bandwidth / GPU_BATCH
        return tokens * max(LEAST_PROMPT_SECONDS, cpu + gpu)
