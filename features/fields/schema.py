"""What is learned from the training file: names of fields and features."""

from pathlib import Path


class FieldSchema:
    """What is learned from the training file."""

    field_names: tuple[str, ...]
    n_features: int

    def feature_name(self, feature: int) -> str:
        raise NotImplementedError

    def save(self, path: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, path: Path) -> "FieldSchema":
        raise NotImplementedError
