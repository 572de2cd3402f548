"""Checkpoints, from which a training run goes on to the bit: everything that its future depends on, in one sealed file each."""

import random
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.vec_env import VecNormalize

from common import InputError, SealError, Tensors, differences, read_sealed, write_sealed

KIND = "checkpoint"
KEPT = 3
COUNTERS = ("num_timesteps", "_n_updates", "_episode_num", "_current_progress_remaining", "_n_calls", "exploration_rate")
REPLAY = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
EXTRA = "extra/"  # in front of the names of what the caller adds


class CheckpointError(InputError):
    """A checkpoint that cannot be gone on from; the message says which and why."""


@dataclass(frozen=True)
class Checkpoint:
    """What a run was at one moment between an update and the next rollout.

    Args:
        step: environment steps so far.
        tensors, about: the caller's own, as given to `save`.
        skipped: newer files that could not be read, a line each.
    """

    step: int
    state: tuple[Tensors, dict[str, Any]]
    tensors: Tensors
    about: dict[str, Any]
    skipped: tuple[str, ...]

    def restore(self, model: Any) -> None:
        """Put a model of Stable-Baselines3's kind, built from the same settings on an env of the same data, into this state."""
        _restore(model, *self.state)


@dataclass(frozen=True)
class CheckpointFolder:
    """The last three checkpoints of one run, and the one of its best validation.

    Args:
        folder: holds nothing else.
        identity: data hash and settings, as JSON values: what a run must share with a checkpoint to go on from it.
    """

    folder: Path
    identity: dict[str, Any]

    def save(self, model: Any, tensors: Tensors, about: dict[str, Any], best: int) -> None:
        """Write where the model stands, then drop what is neither new nor of step `best`.

        Args:
            tensors, about: what the caller needs beside the model.
            best: step of the best validation so far.
        """
        held, state = _capture(model)
        held |= {EXTRA + name: tensor for name, tensor in tensors.items()}
        content = {"kind": KIND, "identity": self.identity, "model": state, "extra": about}
        write_sealed(self.folder / f"{model.num_timesteps:012d}.safetensors", held, content)
        newest = self._files()[:KEPT]
        for path in self.folder.iterdir():  # temporary files too, which a kill may have left
            if path not in newest and path.stem != f"{best:012d}":
                path.unlink()

    def newest(self) -> Checkpoint | None:
        """The newest one that can be read, or None where there is none at all.

        Raises:
            CheckpointError: one of other data or settings, or not one of several can be read.
        """
        skipped: list[str] = []
        for path in self._files():
            try:
                tensors, content = read_sealed(path, KIND)
            except SealError as error:
                skipped.append(str(error))
                continue
            if changed := differences(content["identity"], self.identity):
                raise CheckpointError(
                    f"a run goes on with its own data and settings, but {path} differs: {'; '.join(changed)}; "
                    "restore them, or begin a new run"
                )
            extra = {name.removeprefix(EXTRA): tensor for name, tensor in tensors.items() if name.startswith(EXTRA)}
            state = {name: tensor for name, tensor in tensors.items() if not name.startswith(EXTRA)}
            return Checkpoint(int(path.stem), (state, content["model"]), extra, content["extra"], tuple(skipped))
        if skipped:
            raise CheckpointError(f"none of the {len(skipped)} checkpoints can be read: {skipped[0]}; delete {self.folder}")
        return None

    def _files(self) -> list[Path]:
        """The newest first."""
        return sorted((path for path in self.folder.glob("*.safetensors") if path.stem.isdigit()), reverse=True)


def _capture(model: Any) -> tuple[Tensors, dict[str, Any]]:
    """All that the future of the model depends on, between an update and the next rollout."""
    optimizer = model.policy.optimizer.state_dict()
    tensors = {f"policy/{name}": tensor for name, tensor in model.policy.state_dict().items()}
    tensors |= {
        f"optimizer/{parameter}/{name}": tensor for parameter, held in optimizer["state"].items() for name, tensor in held.items()
    }
    tensors |= {
        "last/observations": torch.from_numpy(model._last_obs),
        "last/starts": torch.from_numpy(model._last_episode_starts),
    }
    if states := getattr(model, "_last_lstm_states", None):
        tensors |= {f"lstm/{place}": state for place, state in enumerate((*states.pi, *states.vf))}
    arrays, generators = _env_of(model).snapshot()
    tensors |= {f"env/{name}": _bytes_of(array) for name, array in arrays.items()}
    about: dict[str, Any] = {
        "counters": {name: getattr(model, name) for name in COUNTERS if hasattr(model, name)},
        "episodes": list(model.ep_info_buffer or []),
        "optimizer": optimizer["param_groups"],
        "env": generators,
        "actions": model.action_space.np_random.bit_generator.state,
        "threads": torch.get_num_threads(),
    }
    for capture in (_capture_randomness, _capture_normalizer, _capture_buffer):
        capture(model, tensors, about)
    return tensors, about


def _restore(model: Any, tensors: Tensors, about: dict[str, Any]) -> None:
    torch.set_num_threads(about["threads"])  # another number would add up in another order
    model.policy.load_state_dict(_below("policy/", tensors))
    held: dict[int, Tensors] = {}
    for name, tensor in _below("optimizer/", tensors).items():
        parameter, key = name.split("/")
        held.setdefault(int(parameter), {})[key] = tensor
    model.policy.optimizer.load_state_dict({"state": held, "param_groups": about["optimizer"]})
    for name, value in about["counters"].items():
        setattr(model, name, value)
    model.ep_info_buffer = deque(about["episodes"], maxlen=model._stats_window_size)
    model.ep_success_buffer = deque(maxlen=model._stats_window_size)
    model._last_obs = model._last_original_obs = tensors["last/observations"].numpy()
    model._last_episode_starts = tensors["last/starts"].numpy()
    if states := list(_below("lstm/", tensors).values()):
        hidden_pi, cell_pi, hidden_vf, cell_vf = (state.to(model.device) for state in states)
        model._last_lstm_states = RNNStates((hidden_pi, cell_pi), (hidden_vf, cell_vf))
    env = _env_of(model)
    arrays, _ = env.snapshot()
    env.restore({name: _array_of(tensor, arrays[name]) for name, tensor in _below("env/", tensors).items()}, about["env"])
    model.action_space.np_random.bit_generator.state = about["actions"]
    for restore in (_restore_normalizer, _restore_buffer, _restore_randomness):
        restore(model, tensors, about)


def _env_of(model: Any) -> Any:
    env = model.env.unwrapped if model.env is not None else None
    if not (hasattr(env, "snapshot") and hasattr(env, "restore")):
        raise CheckpointError(
            f"a checkpoint needs an env with `snapshot` and `restore`, but got a {type(env).__name__}; use BitcoinTradingVecEnv"
        )
    return env


def _capture_randomness(model: Any, tensors: Tensors, about: dict[str, Any]) -> None:
    """The global generators, which Stable-Baselines3 draws from."""
    version, numbers, gauss = random.getstate()
    name, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 (its own, whether we like it or not)
    tensors |= {"random/numpy": torch.from_numpy(np.asarray(keys, np.int64)), "random/torch": torch.get_rng_state()}
    if model.device.type == "cuda":
        tensors["random/cuda"] = torch.cuda.get_rng_state(model.device)
    about["random"] = {"python": [version, list(numbers), gauss], "numpy": [name, *rest]}


def _restore_randomness(model: Any, tensors: Tensors, about: dict[str, Any]) -> None:
    version, numbers, gauss = about["random"]["python"]
    name, *rest = about["random"]["numpy"]
    random.setstate((version, tuple(numbers), gauss))
    np.random.set_state((name, tensors["random/numpy"].numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(tensors["random/torch"])
    if "random/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random/cuda"], model.device)


def _capture_normalizer(model: Any, tensors: Tensors, about: dict[str, Any]) -> None:
    """The running deviation of the return that rewards are divided by."""
    normalizer = model.get_vec_normalize_env()
    about["rewards"] = reward_scaling(normalizer)
    if normalizer is not None:
        tensors["rewards/returns"] = torch.from_numpy(normalizer.returns)


def _restore_normalizer(model: Any, tensors: Tensors, about: dict[str, Any]) -> None:
    normalizer = model.get_vec_normalize_env()
    if normalizer is not None:
        for name, value in about["rewards"].items():
            setattr(normalizer.ret_rms, name, np.float64(value))
        normalizer.returns = tensors["rewards/returns"].numpy()


def reward_scaling(normalizer: VecNormalize | None) -> dict[str, float] | None:
    """Mean, variance and count of the discounted return, as `VecNormalize` runs them."""
    if normalizer is None:
        return None
    return {name: float(getattr(normalizer.ret_rms, name)) for name in ("mean", "var", "count")}


def _capture_buffer(model: Any, tensors: Tensors, about: dict[str, Any]) -> None:
    """A rollout has been learned from and is empty but for its generator; a replay buffer is all memory."""
    if rng := getattr(getattr(model, "rollout_buffer", None), "rng", None):
        about["buffer"] = rng.bit_generator.state
    if replay := getattr(model, "replay_buffer", None):
        rows = slice(None) if replay.full else slice(replay.pos)
        tensors |= {f"replay/{name}": torch.from_numpy(getattr(replay, name)[rows]) for name in REPLAY}
        about["replay"] = {"pos": replay.pos, "full": replay.full}


def _restore_buffer(model: Any, tensors: Tensors, about: dict[str, Any]) -> None:
    if "buffer" in about:
        model.rollout_buffer.rng.bit_generator.state = about["buffer"]
    if "replay" in about:
        replay = model.replay_buffer
        replay.pos, replay.full = about["replay"]["pos"], about["replay"]["full"]
        for name, tensor in _below("replay/", tensors).items():
            getattr(replay, name)[: len(tensor)] = tensor.numpy()


def _below(prefix: str, tensors: Tensors) -> Tensors:
    return {name.removeprefix(prefix): tensor for name, tensor in sorted(tensors.items()) if name.startswith(prefix)}


def _bytes_of(array: np.ndarray) -> torch.Tensor:
    """An account is a record, which is no dtype of a tensor."""
    return torch.from_numpy(np.frombuffer(bytearray(array.tobytes()), np.uint8))


def _array_of(tensor: torch.Tensor, like: np.ndarray) -> np.ndarray:
    return np.frombuffer(tensor.numpy().tobytes(), like.dtype).reshape(like.shape)
