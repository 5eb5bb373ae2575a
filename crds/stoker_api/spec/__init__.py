"""`spec` of an LLMDeployment: what its author wants."""

from typing import Annotated

from pydantic import Field

from stoker_api.part import Effect, Part
from stoker_api.rules import Rule
from stoker_api.scalars import FOREVER, Digest, KeepAlive, Model
from stoker_api.spec.heat import Gate, Gpu, Heartbeat, Warmup
from stoker_api.spec.placement import PodTemplate
from stoker_api.spec.server import Options, Server, Sidecar
from stoker_api.spec.storage import Storage
from stoker_api.spec.traffic import Disruption, Rollout, Routing, is_none

_ONE_POD = "self.replicas <= 1 && string(self.rollout.maxSurge).matches('^0%?$')"
_SHUTS_ON = "has(self.gate) && has(self.gate.shutOn)"
_MAY_WRITE = "!self.storage.readOnly && self.storage.pullPolicy != 'Never'"


class Spec(Part):
    """What should be hot, how, and how many times. Only `model` is required."""

    model: Annotated[Model, Effect.ROLLS]
    """The model, as `ollama pull` names it: `phi3:mini`, `hf.co/org/repo:Q4_K_M`,
    `registry:5000/ns/name:tag`."""

    digest: Annotated[Digest, Effect.ROLLS] | None = None
    """Pins the model's weights: `sha256:` and 64 hexadecimal digits. Tags move; a pod whose store
    holds other weights than these takes no traffic and says `DigestMismatch`."""

    replicas: Annotated[int, Field(ge=0, le=10_000), Effect.FLEET] = 1
    """How many pods should be hot. `kubectl scale` and a HorizontalPodAutoscaler set it here."""

    suspend: Annotated[bool, Effect.FLEET] = False
    """Scale to zero and keep everything else, `replicas` included."""

    keep_alive: Annotated[KeepAlive, Effect.LIVE] = FOREVER
    """How long the model stays in memory after Stoker last renewed it: seconds, or a duration
    such as `30m`. `-1`, the default, never ends. Anything else is a lease that Stoker renews well
    before it ends for as long as the pod should be hot, so that memory is freed when Stoker is
    gone."""

    warmup: Annotated[Warmup, Effect.LIVE] = Warmup()
    """What a freshly loaded model must do before its pod takes traffic."""

    heartbeat: Annotated[Heartbeat, Effect.LIVE] = Heartbeat()
    """How closely a hot model is watched."""

    gate: Annotated[Gate, Effect.LIVE] = Gate()
    """What may shut an open gate besides a proven loss of heat."""

    gpu: Annotated[Gpu, Effect.LIVE] | None = None
    """The GPUs of one pod. Leave it out for a CPU-only model."""

    options: Annotated[Options, Effect.ROLLS] = Options()
    """How the model is loaded."""

    server: Annotated[Server, Effect.ROLLS] = Server()
    """The Ollama container."""

    sidecar: Annotated[Sidecar, Effect.ROLLS] = Sidecar()
    """The sidecar container."""

    storage: Annotated[Storage, Effect.ROLLS] = Storage.model_validate({"emptyDir": {}})
    """Where the model's files are. By default every new pod pulls them again into a store of its
    own."""

    routing: Routing = Routing()
    """How clients reach the model."""

    rollout: Annotated[Rollout, Effect.FLEET] = Rollout()
    """How new pods replace old ones."""

    disruption: Annotated[Disruption, Effect.FLEET] | None = None
    """What evictions must leave standing. Unset: no PodDisruptionBudget."""

    pod_template: Annotated[PodTemplate, Effect.ROLLS] = PodTemplate()
    """What users may add to the pods."""

    rules = (
        Rule(
            f"has(self.storage.emptyDir) || !({_MAY_WRITE}) || ({_ONE_POD})",
            "two pods must not pull into one claim at the same time, or they spoil each other's"
            " files: keep replicas at 1 with rollout.maxSurge: 0 and rollout.maxUnavailable: 1, or"
            " fill the claim beforehand and set storage.pullPolicy: Never",
            lambda spec: (
                not spec.storage.is_shared or not spec.storage.is_written or spec.is_one_pod_at_most
            ),
            field="storage",
        ),
        Rule(
            "!has(self.storage.volumeClaim)"
            " || self.storage.volumeClaim.accessMode == 'ReadWriteMany'"
            f" || ({_ONE_POD})",
            "a claim that one node at a time may mount holds up a second pod on another node for"
            " ever: set storage.volumeClaim.accessMode: ReadWriteMany, or keep replicas at 1 with"
            " rollout.maxSurge: 0 and rollout.maxUnavailable: 1",
            lambda spec: (
                not spec.storage.volume_claim
                or spec.storage.volume_claim.access_mode == "ReadWriteMany"
                or spec.is_one_pod_at_most
            ),
            field="storage",
        ),
        Rule(
            f"!({_SHUTS_ON} && 'Latency' in self.gate.shutOn) || has(self.warmup.targetFirstToken)",
            "gate.shutOn: Latency needs a target to be slower than: set warmup.targetFirstToken",
            lambda spec: (
                "Latency" not in spec.gate.shut_on or spec.warmup.target_first_token is not None
            ),
            field="gate",
        ),
        Rule(
            f"!({_SHUTS_ON} && 'Offload' in self.gate.shutOn)"
            " || (has(self.gpu) && has(self.gpu.minOffload))",
            "gate.shutOn: Offload needs a share to fall below: set gpu.minOffload",
            lambda spec: "Offload" not in spec.gate.shut_on or (spec.gpu and spec.gpu.min_offload),
            field="gate",
        ),
        Rule(
            f"!({_SHUTS_ON} && 'Budget' in self.gate.shutOn)"
            " || (has(self.gpu) && has(self.gpu.memoryBudget))",
            "gate.shutOn: Budget needs a budget to be over: set gpu.memoryBudget",
            lambda spec: "Budget" not in spec.gate.shut_on or (spec.gpu and spec.gpu.memory_budget),
            field="gate",
        ),
        Rule(
            "!has(self.heartbeat.stall) || (has(self.gpu) && self.gpu.count > 0)",
            "heartbeat.stall works with a GPU only: on a CPU the prefill of a long prompt is silent"
            " for minutes, and would count as hung; leave stall out",
            lambda spec: spec.heartbeat.stall is None or spec.uses_gpu,
            field="heartbeat",
        ),
    )

    @property
    def is_one_pod_at_most(self) -> bool:
        """Whether there are never two pods at the same time, not even in a roll-out."""
        return self.replicas <= 1 and is_none(self.rollout.max_surge)

    @property
    def uses_gpu(self) -> bool:
        return self.gpu is not None and self.gpu.count > 0
