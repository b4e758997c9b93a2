"""What the parts of a recipe are made of: strict values, ranges, and rules reported at the line of a key."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

Text = Annotated[str, Field(strict=True, min_length=1)]
Flag = Annotated[bool, Field(strict=True)]
Whole = Annotated[int, Field(strict=True, ge=0)]
Count = Annotated[int, Field(strict=True, ge=1)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


def key_problem(key: str | None, problem: str, remedy: str = "") -> PydanticCustomError:
    """A rule that a model breaks, reported at the line of `key` (None: the model's own line)."""
    text = "{problem}; {remedy}" if remedy else "{problem}"
    return PydanticCustomError("rule", text, {"key": key, "problem": problem, "remedy": remedy})


class Frozen(BaseModel):
    """What all parts of a recipe are: unchangeable, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ParameterRange(Frozen):
    """The values that the search may give to a parameter, both ends included."""

    low: Number
    """The smallest value. Without it: the usual one for the parameter."""
    high: Number
    """The largest value. Without it: the usual one for the parameter."""
    start: Number
    """Where the search starts. Without it: at the best equal-weight merge where no parameter has a start of its own, else at
    the usual value, or in the middle."""

    @model_validator(mode="after")
    def _ordered(self) -> ParameterRange:
        if self.low >= self.high:
            raise key_problem("high", f"must be above low ({self.low})", "give a number that never changes under 'fixed'")
        if not self.low <= self.start <= self.high:
            raise key_problem("start", f"must be from {self.low} to {self.high}, not {self.start}")
        return self
