"""Valid specs, as Hypothesis draws them: every field, in its short and its long forms."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from support.manifests import Json

_words = st.from_regex(r"[a-z]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)
_percent = st.integers(0, 100).map(lambda share: f"{share}%")
_amount = st.sampled_from(["1", "500m", "1.5", "64Mi", "8Gi", "500M", 3, "1e9"])
_bytes = st.sampled_from(["64Mi", "8Gi", "500M", 8589934592, "1e9"])
_label_value = st.from_regex(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,20}[A-Za-z0-9])?)?", fullmatch=True)
_labels = st.dictionaries(
    st.builds("{}{}".format, st.sampled_from(["", "example.com/"]), _words),
    _label_value,
    max_size=3,
)


def _duration(*texts: str) -> st.SearchStrategy[str]:
    return st.sampled_from(texts)


def _object(
    required: Mapping[str, Any] | None = None, /, **optional: Any
) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(dict(required or {}), optional=optional)


_model = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "someone/", "hf.co/org/", "registry:5000/ns/"]),
    st.from_regex(r"[a-z][a-z0-9._]{0,20}", fullmatch=True),
    st.sampled_from(["", ":7b", ":Q4_K_M", ":latest"]),
)
_keep_alive = st.one_of(
    st.integers(10, 10**9 - 1), st.just(-1), st.sampled_from(["-1", "300", "30m", "1h30m", "-1m"])
)
_warmup = _object(
    prompts=st.lists(st.text(min_size=1, max_size=50), min_size=1, max_size=3),
    consecutive=st.integers(1, 20),
    targetFirstToken=_duration("1ms", "500ms", "10m"),
    deadline=_duration("10s", "1h30m"),
)
_heartbeat = _object(
    interval=_duration("100ms", "1.5s", "1m"),
    canary=_object(
        idleAfter=_duration("1s", "1h"),
        timeout=_duration("1s", "10m"),
        failureThreshold=st.integers(1, 20),
    ),
)
_options = _object(
    contextLength=st.integers(1, 262144),
    parallel=st.integers(1, 256),
    batch=st.integers(1, 16384),
    threads=st.one_of(st.integers(1, 512), st.just("auto")),
    flashAttention=st.just(True),  # noqa: FBT003
    kvCacheType=st.just("f16"),
    loadTimeout=_duration("10s", "24h"),
    maxQueue=st.integers(1, 10**6),
)
_amounts: dict[str, Any] = {"cpu": _amount, "memory": _bytes, "ephemeral-storage": _bytes}
_resources = st.one_of(_object(requests=_object(**_amounts)), _object(limits=_object(**_amounts)))
_variables = st.lists(
    _object(
        {"name": st.from_regex(r"X_[A-Z0-9_]{0,10}", fullmatch=True)}, value=st.text(max_size=9)
    ),
    max_size=3,
    unique_by=lambda variable: variable["name"],
)
_gpu = _object(
    count=st.integers(1, 8),
    resourceName=st.sampled_from(["nvidia.com/gpu", "amd.com/gpu", "nvidia.com/mig-1g.10gb"]),
    runtimeClassName=_words,
    memoryBudget=_bytes,
    minOffload=st.integers(1, 100).map(lambda share: f"{share}%"),
)
_store = st.one_of(
    _object({"emptyDir": _object(sizeLimit=_bytes)}, pullPolicy=st.just("Always")),
    _object({"existingClaim": _words, "pullPolicy": st.just("Never")}, readOnly=st.booleans()),
    _object(
        {
            "volumeClaim": _object(
                {"size": _bytes, "accessMode": st.just("ReadWriteMany")}, storageClassName=_words
            ),
            "pullPolicy": st.just("Never"),
        }
    ),
)
_routing = _object(
    service=_object(
        type=st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"]),
        port=st.integers(1, 65535),
        annotations=_labels,
    ),
    apis=st.lists(st.sampled_from(["ollama", "openai"]), unique=True),
    drainTimeout=_duration("0s", "90s", "1500ms", "24h"),
)
_rollout = _object(
    maxSurge=st.one_of(st.integers(1, 10), st.integers(1, 100).map("{}%".format)),
    maxUnavailable=st.one_of(st.integers(0, 10), _percent),
    progressDeadline=_duration("1m", "168h"),
)
_node_term = _object(
    matchExpressions=st.lists(
        st.one_of(
            _object({"key": _words, "operator": st.just("Exists")}),
            _object(
                {
                    "key": _words,
                    "operator": st.sampled_from(["In", "NotIn"]),
                    "values": st.lists(_label_value, min_size=1, max_size=2),
                }
            ),
        ),
        min_size=1,
        max_size=2,
    )
)
_pod_term = _object(
    {"topologyKey": _words},
    labelSelector=_object(matchLabels=_labels),
    namespaces=st.lists(_words, max_size=2),
)
_affinity = _object(
    nodeAffinity=_object(
        requiredDuringSchedulingIgnoredDuringExecution=_object(
            {"nodeSelectorTerms": st.lists(_node_term, min_size=1, max_size=2)}
        ),
        preferredDuringSchedulingIgnoredDuringExecution=st.lists(
            _object({"weight": st.integers(1, 100), "preference": _node_term}), max_size=1
        ),
    ),
    podAntiAffinity=_object(
        requiredDuringSchedulingIgnoredDuringExecution=st.lists(_pod_term, max_size=1),
        preferredDuringSchedulingIgnoredDuringExecution=st.lists(
            _object({"weight": st.integers(1, 100), "podAffinityTerm": _pod_term}), max_size=1
        ),
    ),
)
_pod_template = _object(
    labels=_labels,
    annotations=_labels,
    nodeSelector=_labels,
    tolerations=st.lists(
        st.one_of(
            _object({"operator": st.just("Exists")}, key=_words),
            _object({"key": _words}, value=_label_value, effect=st.just("NoSchedule")),
        ),
        max_size=2,
    ),
    affinity=_affinity,
    topologySpreadConstraints=st.lists(
        _object(
            {
                "maxSkew": st.integers(1, 5),
                "topologyKey": _words,
                "whenUnsatisfiable": st.just("DoNotSchedule"),
            },
            minDomains=st.integers(1, 5),
        ),
        max_size=2,
    ),
    priorityClassName=_words,
    imagePullSecrets=st.lists(
        _object({"name": _words}), max_size=2, unique_by=lambda secret: secret["name"]
    ),
)

LIVE_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "keepAlive": _keep_alive,
    "warmup": _warmup,
    "heartbeat": _heartbeat,
}
"""Whole fields that running pods take up without a restart."""

specs: st.SearchStrategy[Json] = _object(
    {"model": _model},
    digest=st.just("sha256:" + "0" * 64),
    replicas=st.integers(0, 10),
    suspend=st.booleans(),
    gpu=_gpu,
    options=_options,
    server=_object(resources=_resources, env=_variables),
    sidecar=_object(resources=_resources),
    storage=_store,
    routing=_routing,
    rollout=_rollout,
    disruption=_object({"minHot": st.one_of(st.integers(0, 10), _percent)}),
    podTemplate=_pod_template,
    **LIVE_FIELDS,
)
"""Any valid spec."""
