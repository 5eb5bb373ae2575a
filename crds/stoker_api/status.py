"""`status` of an LLMDeployment: what is so, as of the last transition."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from stoker_api.part import Part, Unique

Phase = Literal[
    "Pending",
    "Pulling",
    "Loading",
    "Warming",
    "Hot",
    "Degraded",
    "Cold",
    "Blocked",
    "Suspended",
]

_Word = Annotated[str, Field(max_length=64)]
_Name = Annotated[str, Field(max_length=253)]
_Sentence = Annotated[str, Field(max_length=1024)]
_Time = Annotated[str, Field(max_length=40, json_schema_extra={"format": "date-time"})]
_Bytes = Annotated[int, Field(ge=0)]
_Seconds = Annotated[float, Field(ge=0)]


class Said(Part):
    """A part of the status. It is the operator that makes it, by the fields' own names."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)


class Condition(Said):
    """One thing that is so, or is not, and why."""

    type: _Word
    """`Accepted`, `Progressing`, `Hot`, `OnDevice`, `WithinBudget`, `Routed` or `Available`."""

    status: Literal["True", "False", "Unknown"]
    """Whether it is so."""

    reason: _Word
    """Why, in one word."""

    message: _Sentence = ""
    """Why, in a sentence with numbers."""

    last_transition_time: _Time
    """Since when."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the spec that this was said of."""


class ModelStatus(Said):
    """The model that is served."""

    digest: Annotated[str, Field(max_length=71)] | None = None
    """Digest of the weights."""

    size_bytes: _Bytes | None = None
    """Size of the files."""

    parameters: _Word | None = None
    """Number of parameters, as the model says it (`3.8B`)."""

    quantisation: _Word | None = None
    """How the weights are stored (`Q4_K_M`)."""

    context_length: Annotated[int, Field(ge=0)] | None = None
    """Tokens of context in force, which may be fewer than were asked for."""


class GpuStatus(Said):
    """What the model takes of its GPUs."""

    vram: _Word | None = None
    """GPU memory of one pod's model, for people (`4.9Gi`)."""

    vram_bytes: _Bytes | None = None
    """The same in bytes."""

    offload: _Word | None = None
    """The share of the model that is in GPU memory (`86%`)."""

    budget_bytes: _Bytes | None = None
    """The budget of one pod."""

    measured_bytes: _Bytes | None = None
    """What the GPU itself measures of the pod that takes most."""


class ColdStartStatus(Said):
    """What the last cold start took, phase by phase."""

    schedule_seconds: _Seconds | None = None
    """Until the pod had a node."""

    image_seconds: _Seconds | None = None
    """Until its images were there and its containers ran."""

    pull_seconds: _Seconds | None = None
    """To pull the model."""

    verify_seconds: _Seconds | None = None
    """To verify its digest."""

    load_seconds: _Seconds | None = None
    """To load it."""

    first_token_seconds: _Seconds | None = None
    """To the first token after the load."""


class LatencyStatus(Said):
    """How fast answers begin."""

    first_token: _Word | None = None
    """Median time to the first token while hot, for people (`180ms`)."""

    first_token_p50_seconds: _Seconds | None = None
    """The same in seconds."""

    first_token_p95_seconds: _Seconds | None = None
    """19 of 20 answers begin sooner."""

    cold_start: ColdStartStatus | None = None
    """The last cold start."""


class PodStatus(Said):
    """One pod."""

    name: _Name
    """The pod's name."""

    node: _Name | None = None
    """Its node."""

    heat: _Word
    """Where its model is on the way to heat, or away from it."""

    reason: _Word | None = None
    """Why."""

    since: _Time | None = None
    """Since when."""

    vram_bytes: _Bytes | None = None
    """GPU memory of its model."""

    first_token_seconds: _Seconds | None = None
    """Its median time to the first token."""


class Status(Said):
    """What is so. Figures are as of the last transition; the live ones are metrics."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The generation of the spec that all this was said of."""

    phase: Phase | None = None
    """All of it in one word."""

    conditions: Annotated[list[Condition], Field(max_length=16), Unique("type")] = []
    """All of it by aspect."""

    replicas: Annotated[int, Field(ge=0)] | None = None
    """Pods there are."""

    hot_replicas: Annotated[int, Field(ge=0)] | None = None
    """Pods that take traffic: condition `stoker.dev/hot` true and Ready."""

    hot: _Word | None = None
    """Hot pods of those wanted, for people (`2/3`)."""

    selector: Annotated[str, Field(max_length=512)] | None = None
    """The label selector of the pods, for the scale subresource."""

    endpoint: Annotated[str, Field(max_length=512)] | None = None
    """The URL in the cluster."""

    model: ModelStatus | None = None
    """The model that is served."""

    gpu: GpuStatus | None = None
    """What it takes of its GPUs."""

    latency: LatencyStatus | None = None
    """How fast answers begin."""

    pods: Annotated[list[PodStatus], Field(max_length=32), Unique("name")] = []
    """The pods, worst first; at most 32 of them."""
