"""The two directions of a model: which domain becomes which, under every name they have."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Direction:
    """From one domain to the other."""

    name: str  # "a2b" or "b2a": of networks, options and folders
    source: str  # "A" or "B"
    target: str

    @property
    def title(self) -> str:
        """For people: "A to B"."""
        return f"{self.source} to {self.target}"

    @property
    def opposite(self) -> str:
        """The name of the way back."""
        return f"{self.target}2{self.source}".lower()

    @property
    def source_folder(self) -> str:
        """The folder of the dataset with the test images that are translated."""
        return f"test{self.source}"

    @property
    def target_folder(self) -> str:
        """That with test images of the target domain."""
        return f"test{self.target}"


DIRECTIONS = {one.name: one for one in (Direction("a2b", "A", "B"), Direction("b2a", "B", "A"))}
