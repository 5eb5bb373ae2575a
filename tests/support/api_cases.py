"""What the API takes and what it refuses: one table for `stoker validate` and for the API server.

Each case is a rule of the API, in English, with specs that keep it and specs that break it. A spec
is laid over `model: phi3:mini`. Where a case breaks a rule, both judges must say the rule's own
sentence at `field`; a `shape` case (a type, a bound, an unknown field) each says in its own words.
"""

from dataclasses import dataclass

from support.manifests import Json

LONG_NAME = "a" * 63
DIGEST = "sha256:" + "0123456789abcdef" * 4
_NEVER_SURGE = {"maxSurge": 0, "maxUnavailable": 1}


@dataclass(frozen=True)
class Case:
    """One rule: `accepted` specs keep it, `refused` ones break it at `field`."""

    says: str
    field: str
    accepted: tuple[Json, ...]
    refused: tuple[Json, ...]


@dataclass(frozen=True)
class Change:
    """One rule about updates: from `before`, `accepted` is allowed and `refused` is not."""

    says: str
    field: str
    before: Json
    accepted: Json
    refused: Json


def _nested(path: str, value: object) -> Json:
    spec: Json = {}
    *steps, last = path.split(".")
    inner = spec
    for step in steps:
        inner = inner.setdefault(step, {})
    inner[last] = value
    return spec


def _values(path: str, *values: object) -> tuple[Json, ...]:
    return tuple(_nested(path, value) for value in values)


def _duration(path: str, good: tuple[str, ...], bad: tuple[str, ...], **also: Json) -> Case:
    unreadable = ("", "5", "1d", "10", "s", "-5s", "1m1h", "1 m", "1s\n", "9999999h", "1.2.3s")
    return Case(
        f"{path} is a duration within bounds",
        f"spec.{path}",
        tuple(spec | also for spec in _values(path, *good)),
        tuple(spec | also for spec in _values(path, *bad, *unreadable)),
    )


_DURATIONS = (
    _duration("warmup.targetFirstToken", ("1ms", "500ms", "10m"), ("0s", "10m1ms", "11m")),
    _duration("warmup.deadline", ("10s", "1h30m", "168h"), ("9s", "169h")),
    _duration("heartbeat.interval", ("100ms", "1.5s", "1m"), ("99ms", "61s")),
    _duration("heartbeat.canary.idleAfter", ("1s", "1h"), ("999ms", "2h")),
    _duration("heartbeat.canary.timeout", ("1s", "10m"), ("0s", "1h")),
    _duration("options.loadTimeout", ("10s", "24h"), ("1s", "25h")),
    _duration("routing.drainTimeout", ("0s", "0.5h", "24h"), ("25h",)),
    _duration("rollout.progressDeadline", ("1m", "168h"), ("59s", "200h")),
    Case(
        "heartbeat.stall is a duration within bounds",
        "spec.heartbeat.stall",
        tuple({"heartbeat": {"stall": text}, "gpu": {}} for text in ("5s", "1h")),
        tuple({"heartbeat": {"stall": text}, "gpu": {}} for text in ("4s", "2h", "never", "")),
    ),
)

_SCALARS = (
    Case(
        "a model is named as `ollama pull` takes it",
        "spec.model",
        _values(
            "model",
            "phi3",
            "phi3:mini",
            "llama3.2:3b-instruct-q4_K_M",
            "someone/their_model:v1",
            "hf.co/org/repo:Q4_K_M",
            "registry:5000/ns/name:tag",
            "registry.example.com:5000/ns/name",
        ),
        _values(
            "model",
            "",
            " phi3",
            "phi3:",
            "phi3:mini:latest",
            "https://ollama.com/library/phi3",
            "phi3@sha256:abc",
            "a/b/c/d",
            "ns.with.dots/name",
            "phi3:mini\n",
            "phi3;rm -rf",
            "模型",
        ),
    ),
    Case(
        "a model runs here, not in somebody's cloud",
        "spec.model",
        _values("model", "cloud-model", "my-cloud:7b"),
        _values("model", "gpt-oss:120b-cloud", "glm-5:cloud", "my-cloud"),
    ),
    Case(
        "a digest is sha256 in lower-case hexadecimal",
        "spec.digest",
        _values("digest", DIGEST),
        _values("digest", "", "sha256:abc", DIGEST.upper(), DIGEST[7:], "md5:" + "0" * 64),
    ),
    Case(
        "a keep-alive is endless, or a lease long enough to renew",
        "spec.keepAlive",
        _values(
            "keepAlive", -1, "-1", -300, "-1m", "-24h", 10, 3600, "300", "10s", "30m", "1.5h", "24h"
        ),
        _values(
            "keepAlive",
            0,
            "0",
            "0s",
            "0h",
            "-0s",
            9,
            "9",
            "9s",
            "1d",
            "",
            "forever",
            "5 m",
            1000000000,
            "10000000000",
            "9999999h",
        ),
    ),
    Case(
        "an amount is a positive Kubernetes quantity",
        "spec.gpu.memoryBudget",
        _values("gpu.memoryBudget", "8Gi", "500M", "1.5Gi", 8589934592, "1e9", "8E"),
        _values("gpu.memoryBudget", "", "8GB", "8 Gi", "eight", "0", 0, "-8Gi", "8gi", "1Gi\n"),
    ),
    Case(
        "a share is a whole percentage",
        "spec.gpu.minOffload",
        _values("gpu.minOffload", "1%", "50%", "100%"),
        _values("gpu.minOffload", "0%", "101%", "50", "0.5", "", "5 %", "50%\n"),
    ),
    Case(
        "a resource is named as nodes advertise it",
        "spec.gpu.resourceName",
        _values("gpu.resourceName", "nvidia.com/gpu", "nvidia.com/mig-1g.10gb", "amd.com/gpu"),
        _values(
            "gpu.resourceName", "gpu", "", "nvidia.com/", "/gpu", "nvidia.com/gpu/0", "N.com/g"
        ),
    ),
    Case(
        "a count or share of pods is a number or a percentage",
        "spec.rollout.maxSurge",
        _values("rollout.maxSurge", 1, 10000, "25%", "100%"),
        _values("rollout.maxSurge", -1, 10001, "1", "25", "-5%", "101%", "", "x%"),
    ),
    Case(
        "threads are a number or `auto`",
        "spec.options.threads",
        _values("options.threads", 1, 512, "auto"),
        _values("options.threads", 0, 513, "4", "all", "", "Auto"),
    ),
    Case(
        "an object is named as Kubernetes allows",
        "spec.storage.existingClaim",
        tuple(
            {"storage": {"existingClaim": name, "pullPolicy": "Never"}}
            for name in ("models", "a.b-c.d", LONG_NAME)
        ),
        tuple(
            {"storage": {"existingClaim": name, "pullPolicy": "Never"}}
            for name in ("", "Models", "-a", "a-", "a_b", "a/b", "a..b", "../etc", "a\n")
        ),
    ),
    Case(
        "a label key is a qualified name",
        "spec.podTemplate.tolerations[0].key",
        tuple({"podTemplate": {"tolerations": [{"key": key}]}} for key in ("gpu", "a.b/C_d.e-f")),
        tuple(
            {"podTemplate": {"tolerations": [{"key": key}]}}
            for key in ("", "a b", "/x", "x/", "a/b/c", "-a", "k" * 64)
        ),
    ),
    Case(
        "a label value is short and plain",
        "spec.podTemplate.tolerations[0].value",
        tuple(
            {"podTemplate": {"tolerations": [{"key": "k", "value": value}]}}
            for value in ("", "yes", "A.b_c-1")
        ),
        tuple(
            {"podTemplate": {"tolerations": [{"key": "k", "value": value}]}}
            for value in ("a b", "-a", "a-", "a/b", "é")
        ),
    ),
    Case(
        "an image is an image reference",
        "spec.server.image",
        _values(
            "server.image", "ollama/ollama", "docker.io/ollama/ollama:0.17.4", f"r:5000/a@{DIGEST}"
        ),
        _values("server.image", "", " ollama", "ollama latest", "-x", "a\n"),
    ),
    Case(
        "a variable has a name that a shell takes",
        "spec.server.env[0].name",
        tuple({"server": {"env": [{"name": name}]}} for name in ("A", "_x1", "HTTPS_PROXY")),
        tuple({"server": {"env": [{"name": name}]}} for name in ("", "1A", "A-B", "A=B", "A B")),
    ),
)

_BETWEEN_FIELDS = (
    Case(
        "a field that is null is left out",
        "spec.gpu.onOverBudget",
        ({"gpu": None, "options": {"batch": None}, "warmup": None},),
        ({"gpu": {"memoryBudget": None, "onOverBudget": "Block"}},),
    ),
    Case(
        "GPU settings need a GPU",
        "spec.gpu.count",
        ({"gpu": {"count": 0}}, {"gpu": {"memoryBudget": "8Gi", "minOffload": "90%"}}),
        (
            {"gpu": {"count": 0, "memoryBudget": "8Gi"}},
            {"gpu": {"count": 0, "minOffload": "90%"}},
            {"gpu": {"count": 0, "runtimeClassName": "nvidia"}},
        ),
    ),
    Case(
        "blocking over budget needs a budget",
        "spec.gpu.onOverBudget",
        ({"gpu": {"onOverBudget": "Block", "memoryBudget": "8Gi"}}, {"gpu": {}}),
        ({"gpu": {"onOverBudget": "Block"}},),
    ),
    Case(
        "a quantised KV cache needs flash attention",
        "spec.options.kvCacheType",
        (
            {"options": {"kvCacheType": "q8_0", "flashAttention": True}},
            {"options": {"kvCacheType": "f16"}},
            {"options": {"kvCacheType": "f16", "flashAttention": False}},
        ),
        (
            {"options": {"kvCacheType": "q8_0"}},
            {"options": {"kvCacheType": "q4_0", "flashAttention": False}},
        ),
    ),
    *(
        Case(
            f"a request for {name} fits its limit",
            f"spec.{container}.resources.requests",
            (
                _nested(f"{container}.resources", {"requests": {name: small}}),
                _nested(f"{container}.resources", {"limits": {name: small}}),
                _nested(
                    f"{container}.resources", {"requests": {name: small}, "limits": {name: big}}
                ),
                _nested(f"{container}.resources", {"requests": {name: big}, "limits": {name: big}}),
            ),
            (
                _nested(
                    f"{container}.resources", {"requests": {name: big}, "limits": {name: small}}
                ),
            ),
        )
        for container, name, small, big in (
            ("server", "cpu", "1500m", 2),
            ("server", "memory", "1023Mi", "1Gi"),
            ("sidecar", "ephemeral-storage", "1G", "1Gi"),
        )
    ),
    Case(
        "variables that Stoker decides are left to it",
        "spec.server.env",
        ({"server": {"env": [{"name": "OLLAMA_DEBUG", "value": "1"}]}},),
        tuple(
            {"server": {"env": [{"name": name, "value": "1"}]}}
            for name in ("OLLAMA_KEEP_ALIVE", "OLLAMA_HOST", "HOME", "NVIDIA_VISIBLE_DEVICES")
        ),
    ),
    Case(
        "there is exactly one kind of store",
        "spec.storage",
        (
            {"storage": {"emptyDir": {}}},
            {"storage": {"emptyDir": {"sizeLimit": "20Gi"}, "pullPolicy": "Always"}},
            {"storage": {"existingClaim": "models", "pullPolicy": "Never"}},
        ),
        (
            {"storage": {}},
            {"storage": {"pullPolicy": "Always"}},
            {"storage": {"emptyDir": {}, "existingClaim": "models"}, "rollout": _NEVER_SURGE},
        ),
    ),
    Case(
        "a read-only store holds the model already",
        "spec.storage.readOnly",
        ({"storage": {"existingClaim": "models", "readOnly": True}},),
        (
            {"storage": {"emptyDir": {}, "readOnly": True}},
            {"storage": {"existingClaim": "models", "readOnly": True, "pullPolicy": "Always"}},
        ),
    ),
    Case(
        "an empty store is pulled into",
        "spec.storage.pullPolicy",
        ({"storage": {"emptyDir": {}, "pullPolicy": "IfNotPresent"}},),
        ({"storage": {"emptyDir": {}, "pullPolicy": "Never"}},),
    ),
    Case(
        "no two pods pull into one claim",
        "spec.storage",
        (
            {"storage": {"existingClaim": "models"}, "rollout": _NEVER_SURGE},
            {"storage": {"existingClaim": "models", "readOnly": True}, "replicas": 3},
            {"storage": {"existingClaim": "models", "pullPolicy": "Never"}, "replicas": 3},
        ),
        (
            {"storage": {"existingClaim": "models"}},
            {"storage": {"existingClaim": "models"}, "rollout": _NEVER_SURGE, "replicas": 2},
            {"storage": {"existingClaim": "models"}, "rollout": {"maxSurge": "25%"}},
        ),
    ),
    Case(
        "a claim for one node has one pod",
        "spec.storage",
        (
            {"storage": {"volumeClaim": {"size": "50Gi"}}, "rollout": _NEVER_SURGE},
            {
                "storage": {
                    "volumeClaim": {"size": "50Gi", "accessMode": "ReadWriteMany"},
                    "pullPolicy": "Never",
                },
                "replicas": 3,
            },
        ),
        (
            {"storage": {"volumeClaim": {"size": "50Gi"}, "pullPolicy": "Never"}},
            {
                "storage": {
                    "volumeClaim": {"size": "50Gi", "accessMode": "ReadWriteOncePod"},
                    "pullPolicy": "Never",
                },
                "rollout": _NEVER_SURGE,
                "replicas": 2,
            },
        ),
    ),
    Case(
        "a roll-out can replace pods",
        "spec.rollout.maxUnavailable",
        ({"rollout": _NEVER_SURGE}, {"rollout": {"maxSurge": "10%"}}),
        (
            {"rollout": {"maxSurge": 0}},
            {"rollout": {"maxSurge": "0%", "maxUnavailable": "0%"}},
        ),
    ),
    Case(
        "shutting on latency needs a target",
        "spec.gate",
        ({"gate": {"shutOn": ["Latency"]}, "warmup": {"targetFirstToken": "500ms"}},),
        ({"gate": {"shutOn": ["Latency"]}},),
    ),
    Case(
        "shutting on offload needs a share",
        "spec.gate",
        ({"gate": {"shutOn": ["Offload"]}, "gpu": {"minOffload": "90%"}},),
        ({"gate": {"shutOn": ["Offload"]}}, {"gate": {"shutOn": ["Offload"]}, "gpu": {}}),
    ),
    Case(
        "shutting on the budget needs a budget",
        "spec.gate",
        ({"gate": {"shutOn": ["Budget"]}, "gpu": {"memoryBudget": "8Gi"}},),
        ({"gate": {"shutOn": ["Budget"]}}, {"gate": {"shutOn": ["Budget"]}, "gpu": {}}),
    ),
    Case(
        "silence counts as a hang with a GPU only",
        "spec.heartbeat",
        ({"heartbeat": {"stall": "60s"}, "gpu": {}},),
        (
            {"heartbeat": {"stall": "60s"}},
            {"heartbeat": {"stall": "60s"}, "gpu": {"count": 0}},
        ),
    ),
)


def _added(**template: object) -> Json:
    return {"podTemplate": template}


def _node_terms(**requirement: object) -> Json:
    term = {"matchExpressions": [{"key": "zone", **requirement}]}
    return _added(
        affinity={
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}
            }
        }
    )


def _nodes(**field: object) -> Json:
    preferred = {"weight": 1, "preference": {"matchFields": [field]}}
    return _added(
        affinity={"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [preferred]}}
    )


def _pod_terms(**requirement: object) -> Json:
    selector = {"matchExpressions": [{"key": "app", **requirement}]}
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": selector}
    return _added(
        affinity={"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    )


_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PLACEMENT = (
    Case(
        "added keys are well formed",
        "spec.podTemplate.labels",
        (_added(labels={"team": "a", "example.com/Team_1": ""}),),
        tuple(_added(labels={key: "x"}) for key in ("", "a b", "-a", "x/", "a/b/c", "k" * 64)),
    ),
    Case(
        "added labels are not Stoker's",
        "spec.podTemplate.labels",
        (_added(labels={"stoker.example.com/x": "y", "app": "phi3"}),),
        (
            _added(labels={"stoker.dev/llmdeployment": "other"}),
            _added(labels={"app.kubernetes.io/name": "nginx"}),
        ),
    ),
    Case(
        "added annotations do not loosen security",
        "spec.podTemplate.annotations",
        (_added(annotations={"prometheus.io/scrape": "true"}),),
        (
            _added(
                annotations={"container.apparmor.security.beta.kubernetes.io/ollama": "unconfined"}
            ),
        ),
    ),
    Case(
        "a toleration without a key is for everything",
        "spec.podTemplate.tolerations[0].key",
        (_added(tolerations=[{"operator": "Exists"}]),),
        (_added(tolerations=[{"operator": "Equal"}]), _added(tolerations=[{}])),
    ),
    Case(
        "a toleration that Exists takes no value",
        "spec.podTemplate.tolerations[0].value",
        (_added(tolerations=[{"key": "k", "value": "v"}]),),
        (_added(tolerations=[{"key": "k", "operator": "Exists", "value": "v"}]),),
    ),
    Case(
        "toleration seconds are for NoExecute",
        "spec.podTemplate.tolerations[0].tolerationSeconds",
        (
            _added(
                tolerations=[
                    {
                        "key": "k",
                        "operator": "Exists",
                        "effect": "NoExecute",
                        "tolerationSeconds": 0,
                    }
                ]
            ),
        ),
        (
            _added(tolerations=[{"key": "k", "operator": "Exists", "tolerationSeconds": 5}]),
            _added(
                tolerations=[
                    {
                        "key": "k",
                        "operator": "Exists",
                        "effect": "NoSchedule",
                        "tolerationSeconds": 5,
                    }
                ]
            ),
        ),
    ),
    Case(
        "a node requirement has the values that its operator takes",
        f"spec.podTemplate.affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms[0]"
        ".matchExpressions[0].values",
        (
            _node_terms(operator="In", values=["a", "b"]),
            _node_terms(operator="Exists"),
            _node_terms(operator="Gt", values=["-5"]),
        ),
        (
            _node_terms(operator="In"),
            _node_terms(operator="NotIn", values=[]),
            _node_terms(operator="Exists", values=["a"]),
            _node_terms(operator="Gt", values=["a"]),
            _node_terms(operator="Lt", values=["1", "2"]),
            _node_terms(operator="Lt"),
        ),
    ),
    Case(
        "a node itself is known by its name",
        "spec.podTemplate.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0]"
        ".preference.matchFields[0].values",
        (_nodes(key="metadata.name", operator="NotIn", values=["node-9"]),),
        (
            _nodes(key="metadata.name", operator="In", values=["node-8", "node-9"]),
            _nodes(key="metadata.name", operator="In", values=[]),
        ),
    ),
    Case(
        "a label requirement has the values that its operator takes",
        f"spec.podTemplate.affinity.podAntiAffinity.{_REQUIRED}[0].labelSelector"
        ".matchExpressions[0].values",
        (_pod_terms(operator="NotIn", values=["a"]), _pod_terms(operator="DoesNotExist")),
        (_pod_terms(operator="In"), _pod_terms(operator="Exists", values=["a"])),
    ),
    Case(
        "minDomains goes with DoNotSchedule",
        "spec.podTemplate.topologySpreadConstraints[0].minDomains",
        (
            _added(
                topologySpreadConstraints=[
                    {
                        "maxSkew": 1,
                        "topologyKey": "zone",
                        "whenUnsatisfiable": "DoNotSchedule",
                        "minDomains": 2,
                    }
                ]
            ),
        ),
        (
            _added(
                topologySpreadConstraints=[
                    {
                        "maxSkew": 1,
                        "topologyKey": "zone",
                        "whenUnsatisfiable": "ScheduleAnyway",
                        "minDomains": 2,
                    }
                ]
            ),
        ),
    ),
)

CASES = _DURATIONS + _SCALARS + _BETWEEN_FIELDS + _PLACEMENT

NAMES = Case(
    "an LLMDeployment is named as its Service must be",
    "metadata",
    ({"name": "a"}, {"name": LONG_NAME}, {"name": "phi3-mini"}),
    ({"name": "3phi"}, {"name": "a.b"}, {"name": LONG_NAME + "a"}),
)
"""The one rule about metadata: its dictionaries are metadata, not specs."""


def _claim(**fields: object) -> Json:
    return {"storage": {"volumeClaim": {"size": "50Gi", **fields}}, "rollout": _NEVER_SURGE}


CHANGES = (
    Change(
        "a claim keeps its class and access mode",
        "spec.storage.volumeClaim",
        before=_claim(storageClassName="fast"),
        accepted=_claim(storageClassName="fast"),
        refused=_claim(storageClassName="slow"),
    ),
    Change(
        "a claim keeps its access mode",
        "spec.storage.volumeClaim",
        before=_claim(),
        accepted={"rollout": _NEVER_SURGE},
        refused=_claim(accessMode="ReadWriteMany"),
    ),
    Change(
        "a claim only grows",
        "spec.storage.volumeClaim.size",
        before=_claim(),
        accepted=_claim(size="51Gi"),
        refused=_claim(size="49Gi"),
    ),
)

SHAPES: tuple[tuple[str, Json], ...] = (
    ("spec.replicas", {"replicas": -1}),
    ("spec.replicas", {"replicas": "3"}),
    ("spec.replicas", {"replicas": 1.5}),
    ("spec.suspend", {"suspend": "yes"}),
    ("spec.keepalive", {"keepalive": -1}),
    ("spec.keepAlive", {"keepAlive": True}),
    ("spec.keepAlive", {"keepAlive": 1.5}),
    ("spec.gpu.count", {"gpu": {"count": 65}}),
    ("spec.gpu.onOverBudget", {"gpu": {"onOverBudget": "block"}}),
    ("spec.gpu", {"gpu": []}),
    ("spec.model", {"model": None}),
    ("spec.options.kvCacheType", {"options": {"kvCacheType": "q5_0"}}),
    ("spec.options.parallel", {"options": {"parallel": 0}}),
    ("spec.warmup.prompts", {"warmup": {"prompts": []}}),
    ("spec.warmup.prompts", {"warmup": {"prompts": ["x"] * 9}}),
    ("spec.warmup.prompts[0]", {"warmup": {"prompts": [""]}}),
    ("spec.warmup.prompts[0]", {"warmup": {"prompts": ["x" * 4097]}}),
    ("spec.gate.shutOn[0]", {"gate": {"shutOn": ["latency"]}}),
    ("spec.gate.shutOn", {"gate": {"shutOn": ["Latency", "Latency"]}}),
    ("spec.server.env", {"server": {"env": [{"name": "A"}, {"name": "A"}]}}),
    ("spec.server.env[0].name", {"server": {"env": [{"value": "x"}]}}),
    ("spec.server.resources.limits.gpu", {"server": {"resources": {"limits": {"gpu": 1}}}}),
    ("spec.routing.service.port", {"routing": {"service": {"port": 0}}}),
    ("spec.routing.service.type", {"routing": {"service": {"type": "ExternalName"}}}),
    ("spec.routing.whenCold", {"routing": {"whenCold": "Wait"}}),
    ("spec.aliases", {"aliases": ["x"]}),
    ("spec.podTemplate.serviceAccountName", {"podTemplate": {"serviceAccountName": "admin"}}),
    ("spec.podTemplate.hostNetwork", {"podTemplate": {"hostNetwork": True}}),
    ("spec.disruption.minHot", {"disruption": {}}),
    ("spec.model", {"model": 3}),
)
"""What has the wrong shape, and where."""
