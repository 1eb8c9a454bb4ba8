"""A target: something that reads input from outside, and what it may answer to any of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from tests.fuzzing.mutation import Mutator

CORPUS = Path(__file__).parent / "corpus"


class Broken(AssertionError):
    """The target answered an input in a way that its documents do not name."""


class Target(ABC):
    """Reads inputs, which are bytes for every target."""

    name: str

    @abstractmethod
    def seeds(self) -> Sequence[bytes]:
        """Return well-formed inputs."""

    @abstractmethod
    def read(self, data: bytes) -> None:
        """Read one input; an exception that comes out is a finding."""

    def mutate(self, mutator: Mutator, data: bytes, others: Sequence[bytes]) -> bytes:
        """Return a new input made from an old one."""
        return mutator.bytes_of(data, others)

    def kept(self) -> dict[str, bytes]:
        """Return the inputs that were kept because they once broke something, by the name of their file."""
        folder = CORPUS / self.name
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())} if folder.exists() else {}
