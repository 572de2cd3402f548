"""What a run of `forecast.py images train` was begun with, kept in its `config.yaml`."""

from pathlib import Path
from typing import Literal

import yaml
from pydantic import ValidationError

from common import RunError, Settings, one_line, require_sealed_run
from features.images import FolderSettings, PictureSettings

MODEL = "model.safetensors"


class PictureTask(Settings):
    """All that a run was begun with."""

    command: Literal["images train"] = "images train"
    """what made the run"""
    model: str
    """the network"""
    train: Path
    """folder of pictures that are learned from"""
    valid: Path | None = None
    """folder of pictures that choose the epoch"""
    test: Path | None = None
    """folder of pictures that the model is judged by; without it those of `valid` are used"""
    weights: Path | None = None
    """file of pretrained weights"""
    folders: FolderSettings
    """how pictures are read"""
    pictures: PictureSettings
    """how the model is built and trained"""

    @property
    def roles(self) -> dict[str, Path]:
        """By role: `train`, `valid`, `test`, those that were given."""
        roles = {"train": self.train, "valid": self.valid, "test": self.test}
        return {role: path for role, path in roles.items() if path is not None}


def read_picture_task(folder: Path) -> PictureTask:
    """The task of a run.

    Raises:
        RunError: no such run folder, a damaged one, or one that was edited.
    """
    path, whose = folder / "config.yaml", f"{folder} is no run of `forecast.py images train`"
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise RunError(f"{whose}: it {found}; name a folder in runs/")
    try:
        require_sealed_run(folder)
        return PictureTask.model_validate(yaml.safe_load(path.read_text()))
    except FileNotFoundError:
        raise RunError(f"{whose}: it holds no config.yaml; name one of runs/") from None
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise RunError(f"cannot read {path}: {getattr(error, 'strerror', None) or one_line(error)}; begin a new run") from None
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        name = ".".join(map(str, fault["loc"]))
        raise RunError(f"{whose} ({name}: {fault['msg']}); name one of runs/") from None
