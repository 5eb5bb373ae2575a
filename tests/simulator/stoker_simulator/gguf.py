"""The head of a GGUF file: enough of it to know a model by, and to make one that has no weights."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

_MAGIC = b"GGUF"
_VERSION = 3

# By GGUF's number of the type: its letter for `struct`.
_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_UINT32, _FLOAT32, _STRING, _UINT64 = 4, 6, 8, 10

# By GGUF's number of what a file is quantised to.
QUANTIZATIONS = {0: "F32", 1: "F16", 2: "Q4_0", 7: "Q8_0", 15: "Q4_K_M", 32: "BF16"}

_TENSOR_TYPES = {0: "F32", 1: "F16", 2: "Q4_0", 8: "Q8_0", 12: "Q4_K", 14: "Q6_K", 30: "BF16"}


@dataclass(frozen=True)
class Tensor:
    """One of the tensors that a file names."""

    name: str
    shape: tuple[int, ...]
    type: str

    @property
    def parameters(self) -> int:
        count = 1
        for length in self.shape:
            count *= length
        return count


@dataclass(frozen=True)
class Header:
    """What a GGUF file says of itself. Arrays are left out: tokenizers have 100,000 entries."""

    values: Mapping[str, Any]
    tensors: tuple[Tensor, ...] = field(default=())

    @property
    def architecture(self) -> str:
        return str(self.values.get("general.architecture", "unknown"))

    def number(self, name: str, default: int = 0) -> int:
        """A number of this architecture, as `context_length`."""
        value = self.values.get(f"{self.architecture}.{name}", default)
        return value if isinstance(value, int) else default

    @property
    def parameter_count(self) -> int:
        return sum(tensor.parameters for tensor in self.tensors)

    @property
    def is_embedding(self) -> bool:
        return f"{self.architecture}.pooling_type" in self.values

    @property
    def cache_bytes_per_token(self) -> int:
        """The size of keys and values in 16 bits, for one token of context."""
        heads = self.number("attention.head_count", 1)
        width = self.number("embedding_length") // max(1, heads)
        return (
            2
            * 2
            * self.number("block_count")
            * width
            * self.number("attention.head_count_kv", heads)
        )


def read_header(path: Path) -> Header:
    """The head of this file; ValueError if it is no GGUF."""
    with path.open("rb") as file:
        if file.read(4) != _MAGIC:
            raise ValueError("this is no GGUF file")
        _, tensor_count, value_count = _unpack(file, "IQQ")
        values = {_string(file): _value(file, _unpack(file, "I")[0]) for _ in range(value_count)}
        return Header(values, tuple(_tensor(file) for _ in range(tensor_count)))


def header(values: Mapping[str, str | int | float], parameters: int) -> bytes:
    """The head of a GGUF file of so many parameters."""
    parts = [_MAGIC, struct.pack("<IQQ", _VERSION, 1, len(values))]
    for name, value in values.items():
        parts += [_packed(name), _packed_value(value)]
    parts += [_packed("output.weight"), struct.pack("<IQIQ", 1, parameters, 12, 0)]
    return b"".join(parts)


def _packed(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _packed_value(value: str | float) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _packed(value)
    if isinstance(value, float):
        return struct.pack("<If", _FLOAT32, value)
    if value >= 2**32:
        return struct.pack("<IQ", _UINT64, value)
    return struct.pack("<II", _UINT32, value)


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _FLOAT32:
        # As short as 32 bits allow, like Go.
        return float(f"{_unpack(file, 'f')[0]:.7g}")
    if kind in _SCALARS:
        return _unpack(file, _SCALARS[kind])[0]
    if kind == _STRING:
        return _string(file)
    element, count = _unpack(file, "IQ")
    if element in _SCALARS:
        file.seek(count * struct.calcsize(_SCALARS[element]), 1)
        return None
    for _ in range(count):
        _value(file, element)
    return None


def _tensor(file: BinaryIO) -> Tensor:
    name = _string(file)
    (dimensions,) = _unpack(file, "I")
    shape = _unpack(file, f"{dimensions}Q")
    kind, _ = _unpack(file, "IQ")
    return Tensor(name, shape, _TENSOR_TYPES.get(kind, "unknown"))


def _string(file: BinaryIO) -> str:
    return file.read(_unpack(file, "Q")[0]).decode(errors="replace")


def _unpack(file: BinaryIO, letters: str) -> tuple[Any, ...]:
    layout = f"<{letters}"
    return struct.unpack(layout, file.read(struct.calcsize(layout)))
