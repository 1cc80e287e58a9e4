"""What can go wrong while Anshou is set up or started, told to a person.

Standard library only: the set-up uses it before anything is installed.
"""

from __future__ import annotations


class DeployError(Exception):
    """Setting up or starting failed in a way that a person can do something about.

    Attributes:
        what: What failed and where, one sentence.
        remedy: What to do about it, one sentence; empty when the sentence above says it all.
    """

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what} {remedy}".strip())
        self.what = what
        self.remedy = remedy


class CommandError(DeployError):
    """A program that the set-up needs ended with an error.

    Attributes:
        output: The last lines that the program said.
    """

    def __init__(self, what: str, output: str, remedy: str = "") -> None:
        super().__init__(what, remedy)
        self.output = output

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.output, self.remedy) if part)


class NotRunningError(DeployError):
    """Nothing runs on the data folder that a command wants to talk to."""
