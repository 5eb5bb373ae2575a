"""What a kubelet would run of a pod template, as processes of one machine. Pure.

Nothing here knows what an LLMDeployment is: containers, environment, arguments, mounts, probes and
grace period are read from the template that `desired()` made, so that both run the same thing. What
a machine has in the place of a pod's own world is put in: folders for volumes, free ports for the
pod's, programs for images.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stoker_api import wire
from stoker_operator.desired import Manifest
from stoker_operator.desired.ollama import MODELS_VOLUME
from stoker_operator.desired.sidecar import CONTAINER_NAME as SIDECAR
from stoker_operator.local import LOOPBACK

_SIMULATED_SIZE = "1GB"
_SIMULATOR_VARIABLE = "STOKER_SIMULATOR"


@dataclass(frozen=True)
class Server:
    """The Ollama of this machine: a program, or one that runs already."""

    path: str
    """The program; of one that runs, its URL."""
    folder: str | None = None
    """In which it has to be started; None: anywhere."""
    environment: tuple[tuple[str, str], ...] = ()
    is_simulator: bool = False
    address: tuple[str, int] | None = None
    """Of one that runs already."""

    @property
    def is_attached(self) -> bool:
        """Whether it runs already, so that there is nothing to start."""
        return self.address is not None


@dataclass(frozen=True)
class Machine:
    """What this machine has in the place of images, nodes and claims."""

    server: Server
    sidecar: tuple[str, ...]
    """The command in the place of the sidecar's image."""
    environment: Mapping[str, str]
    models: str
    """The folder with the models, which all replicas share."""
    gpus: int = 0


@dataclass(frozen=True)
class Place:
    """What one replica has for itself."""

    folder: str
    heat_file: str
    ollama_port: int
    sidecar_port: int
    slot: int = 0
    """Which of the replicas it is, for a share of the machine's GPUs."""


@dataclass(frozen=True)
class Probe:
    """How a container is asked whether it is well."""

    path: str
    port: int
    period_seconds: float
    timeout_seconds: float
    failure_threshold: int
    grace_seconds: float


@dataclass(frozen=True)
class Container:
    """One process to run, with all that it starts."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str
    """Where it is started."""
    readiness: Probe | None
    liveness: Probe | None


@dataclass(frozen=True)
class Pod:
    """The processes of one replica, in the order in which they start."""

    containers: tuple[Container, ...]
    folder: str
    """Its own, which ends with it."""
    folders: tuple[str, ...]
    """What has to be there before."""
    grace_seconds: float
    """From the wish that it ends to the end of patience."""
    sidecar_port: int
    ollama_address: tuple[str, int]


def pod(template: Manifest, place: Place, machine: Machine) -> Pod:
    """The processes that stand for one pod of this template."""
    spec = template["spec"]
    volumes = dict(_volumes(spec, place, machine))
    made = tuple(
        _container(container, _World(place, machine, volumes, spec))
        for container in (*spec.get("initContainers", ()), *spec["containers"])
        if container["name"] == SIDECAR or not machine.server.is_attached
    )
    return Pod(
        containers=made,
        folder=place.folder,
        folders=tuple(volumes.values()),
        grace_seconds=spec["terminationGracePeriodSeconds"],
        sidecar_port=place.sidecar_port,
        ollama_address=machine.server.address or (LOOPBACK, place.ollama_port),
    )


@dataclass(frozen=True)
class _World:
    """What containers of one pod have around them."""

    place: Place
    machine: Machine
    volumes: Mapping[str, str]
    pod: Manifest

    @property
    def ports(self) -> dict[int, int]:
        """What a port of the pod is on this machine."""
        return {
            wire.OLLAMA_PORT: self.place.ollama_port,
            wire.SIDECAR_PORT: self.place.sidecar_port,
        }

    @property
    def ollama_url(self) -> str:
        server = self.machine.server
        return server.path if server.is_attached else f"http://{LOOPBACK}:{self.place.ollama_port}"


def _volumes(spec: Manifest, place: Place, machine: Machine) -> Iterator[tuple[str, str]]:
    """The folder of each volume that containers write to; files of the cluster have none."""
    for volume in spec["volumes"]:
        if volume["name"] == MODELS_VOLUME:
            yield MODELS_VOLUME, machine.models
        elif "emptyDir" in volume:
            yield volume["name"], f"{place.folder}/{volume['name']}"


def _container(container: Manifest, world: _World) -> Container:
    mounts = {
        mount["mountPath"]: world.volumes[mount["name"]]
        for mount in container.get("volumeMounts", ())
        if mount["name"] in world.volumes
    }
    environment = {
        variable["name"]: _moved(variable["value"], mounts)
        for variable in container["env"]
        if "value" in variable  # facts of a pod are none of a process
    }
    is_sidecar = container["name"] == SIDECAR
    argv = _sidecar(container, world) if is_sidecar else tuple(container["command"])
    own = {} if is_sidecar else _of_ollama(environment, world)
    return Container(
        name=container["name"],
        argv=argv,
        environment={**world.machine.environment, **environment, **own},
        folder=(None if is_sidecar else world.machine.server.folder) or world.place.folder,
        readiness=_probe("readinessProbe", container, world),
        liveness=_probe("livenessProbe", container, world),
    )


def _moved(value: str, mounts: Mapping[str, str]) -> str:
    """The value; where it is a path below a mount, that path on this machine."""
    for inside, outside in mounts.items():
        if value == inside or value.startswith(f"{inside}/"):
            return outside + value.removeprefix(inside)
    return value


# --- the sidecar --------------------------------------------------------------------------------


def _sidecar(container: Manifest, world: _World) -> tuple[str, ...]:
    """The sidecar's own arguments, and where its things are on this machine."""
    place = world.place
    hands = next(
        (world.volumes[mount["name"]] for mount in container["volumeMounts"]
         if mount["mountPath"] == wire.HANDS_DIRECTORY),
        place.folder,
    )  # fmt: skip
    gpus = _gpus(world)
    return (
        *world.machine.sidecar,
        *container["args"],
        f"--ollama={world.ollama_url}",
        f"--listen={LOOPBACK}:{place.sidecar_port}",
        f"--heat-file={place.heat_file}",
        f"--hands={hands}",
        *(f"--gpu-device={index}" for index in gpus),
        "--log-format=text",
    )


# --- Ollama -------------------------------------------------------------------------------------


def _of_ollama(environment: Mapping[str, str], world: _World) -> dict[str, str]:
    """What Ollama's environment has to say otherwise than in a pod."""
    server, machine = world.machine.server, world.machine
    search = f"{_parent(server.path)}:{machine.environment.get('PATH', '')}"
    return {
        "PATH": search,
        "OLLAMA_HOST": f"{LOOPBACK}:{world.place.ollama_port}",
        # The store is shared with whatever else runs here, which may be pulling (P37).
        "OLLAMA_NOPRUNE": "1",
        **_sight(environment, _gpus(world)),
        **dict(server.environment),
        **(_simulated(world.pod, machine, environment) if server.is_simulator else {}),
    }


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _sight(environment: Mapping[str, str], gpus: tuple[int, ...]) -> dict[str, str]:
    """The GPUs that Ollama may use. In a pod its container runtime sees to that."""
    if environment.get("NVIDIA_VISIBLE_DEVICES") == "void":
        hidden = {"CUDA_VISIBLE_DEVICES": "-1", "ROCR_VISIBLE_DEVICES": "-1"}
    elif gpus:
        listed = ",".join(map(str, gpus))
        # The order of the bus is NVML's, by which the sidecar counts.
        hidden = {"CUDA_VISIBLE_DEVICES": listed, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    else:
        hidden = {}
    return {name: value for name, value in hidden.items() if name not in environment}


def _gpus(world: _World) -> tuple[int, ...]:
    """This replica's share of the machine's GPUs; where there are too few, replicas meet."""
    count, there = gpus_wanted(world.pod), world.machine.gpus
    first = world.place.slot * count
    return tuple(sorted({(first + i) % there for i in range(count)})) if there else ()


def gpus_wanted(spec: Manifest) -> int:
    """How many GPUs the pod asks for, as its sidecar is told."""
    return int(_flag(spec, "--gpus") or 0)


def model_wanted(spec: Manifest) -> str:
    """The model, as the sidecar is told."""
    return _flag(spec, "--model") or ""


def _flag(spec: Manifest, name: str) -> str | None:
    for container in spec.get("initContainers", ()):
        for argument in container.get("args", ()):
            flag, equals, value = argument.partition("=")
            if flag == name and equals:
                return str(value)
    return None


def _simulated(spec: Manifest, machine: Machine, environment: Mapping[str, str]) -> dict[str, str]:
    """Puts the model onto the simulator's disk, unless it is told what to be otherwise."""
    if _SIMULATOR_VARIABLE in environment:
        return {}
    told = machine.environment.get(_SIMULATOR_VARIABLE, "")
    return {_SIMULATOR_VARIABLE: f"--model {model_wanted(spec)}={_SIMULATED_SIZE} {told}".strip()}


# --- probes -------------------------------------------------------------------------------------


def _probe(kind: str, container: Manifest, world: _World) -> Probe | None:
    probe: Manifest | None = container.get(kind)
    if probe is None:
        return None
    asked = probe["httpGet"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    grace: float = world.pod["terminationGracePeriodSeconds"]
    return Probe(
        path=asked["path"],
        port=world.ports[ports.get(asked["port"], asked["port"])],
        period_seconds=probe["periodSeconds"],
        timeout_seconds=probe["timeoutSeconds"],
        failure_threshold=probe["failureThreshold"],
        grace_seconds=probe.get("terminationGracePeriodSeconds", grace),
    )
