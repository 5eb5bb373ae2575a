"""What every part of an LLMDeployment has in common."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from stoker_api.rules import Rule, as_validations

EFFECT_KEY = "x-stoker-effect"


class Effect(Enum):
    """What a change of a field does to what is running.

    A field's mark covers everything below it, unless something below says otherwise.
    """

    LIVE = "live"
    """Running pods take it up; nothing restarts."""
    ROLLS = "rolls"
    """New pods replace the old ones, each hot before its predecessor leaves."""
    FLEET = "fleet"
    """Other objects change (how many pods, the Service, the strategy); no pod is replaced."""
    FIXED = "fixed"
    """It cannot be changed."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(core_schema) | {EFFECT_KEY: self.value}


@dataclass(frozen=True)
class Rules:
    """Rules for a field as a whole, where that is neither a `Part` nor a `Scalar` (a map)."""

    rules: tuple[Rule, ...]

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(core_schema) | as_validations(self.rules)


@dataclass(frozen=True)
class Unique:
    """A list without repetition: of values, or of objects told apart by the field `key`."""

    key: str | None = None

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        if self.key is None:
            kind: JsonSchemaValue = {"x-kubernetes-list-type": "set"}
        else:
            kind = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [self.key]}
        return handler(core_schema) | kind

    def _check(self, items: list[Any]) -> list[Any]:
        marks = [getattr(item, self.key) if self.key else item for item in items]
        for mark in marks:
            if marks.count(mark) > 1:
                raise PydanticCustomError("stoker", "has {mark} twice", {"mark": repr(mark)})
        return items


class Part(BaseModel):
    """An object of the API: immutable, camelCase outside, without room for unknown fields.

    The sentence under each field is its documentation everywhere: in the CRD (`kubectl explain`),
    in docs/reference, in editors.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        strict=True,
        use_attribute_docstrings=True,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()
    """What must hold between this object's fields."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        """To the API server a field that is null is a field that is left out."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        reference = handler(core_schema)
        handler.resolve_ref_schema(reference).update(as_validations(cls.rules))
        return reference

    def fields(self) -> Iterator[tuple[str, Any, tuple[Rule, ...]]]:
        """Each field that is set: its name in manifests, its value, its rules as a whole."""
        for name, info in type(self).model_fields.items():
            value = getattr(self, name)
            if value is not None:
                marks = (mark for mark in info.metadata if isinstance(mark, Rules))
                yield (
                    info.alias or name,
                    value,
                    tuple(rule for mark in marks for rule in mark.rules),
                )

    def field(self, name: str) -> Any:
        """The value of the field that manifests call `name`."""
        return next(
            getattr(self, own)
            for own, info in type(self).model_fields.items()
            if info.alias == name
        )

    def as_json(self) -> dict[str, Any]:
        """The object as it stands in a manifest, without what is unset."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
