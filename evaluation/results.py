"""What an evaluation found, in the form in which it is printed, compared and written down."""

from dataclasses import dataclass
from typing import Literal

from evaluation.metrics import Interval


@dataclass(frozen=True, kw_only=True)
class Result:
    """One figure.

    Attributes:
        name: What was measured, as in the report.
        value: With its interval over persons.
        published: The figure that it is compared with, from the literature or computed anew; None: there is
            none.
        reach: What was asked for.
        better: Whether more or less of it is.
    """

    name: str
    value: Interval
    published: float | None
    reach: float
    better: Literal["higher", "lower"] = "higher"

    @property
    def is_reached(self) -> bool:
        """Whether what was asked for is reached; not when it is undefined."""
        return self.value.value >= self.reach if self.better == "higher" else self.value.value <= self.reach
