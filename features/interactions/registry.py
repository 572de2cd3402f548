"""The models of interactions, behind one interface: `make_learner(name, shape, settings)`.

A new one is a `Learner`, a line in `LEARNERS` and its name in the settings.
"""

from collections.abc import Callable
from functools import partial

from common import InputError, free_memory, unknown
from features.interactions.kernel_learner import KernelLearner
from features.interactions.learner import Learner, Shape
from features.interactions.settings import KERNELS, MODELS, InteractionSettings


def _network(name: str, shape: Shape, settings: InteractionSettings) -> Learner:
    from features.interactions.network_learner import NetworkLearner  # late, since lr, fm and ffm need no torch to learn

    return NetworkLearner(name, shape, settings)


LEARNERS: dict[str, Callable[[Shape, InteractionSettings], Learner]] = {
    name: partial(KernelLearner if name in KERNELS else _network, name) for name in MODELS
}


def make_learner(name: str, shape: Shape, settings: InteractionSettings) -> Learner:
    """A model of that name before its first row.

    Raises:
        InputError: an unknown name, data without features, or a model that needs more memory than is free.
    """
    if name not in LEARNERS:
        raise InputError(unknown("model of interactions", name, LEARNERS))
    if shape.n_features < 1 or shape.n_fields < 1:
        raise InputError(f"a model needs a feature and a field, but the data have {shape.n_features} and {shape.n_fields}")
    needed, free = bytes_of(name, shape, settings), free_memory()
    if free is not None and needed > free:
        raise InputError(
            _too_large(name, shape, settings, f"{needed / 1e9:,.1f} GB of memory, but {free / 1e9:,.1f} GB are free")
        )
    try:
        return LEARNERS[name](shape, settings)
    except MemoryError:
        raise InputError(_too_large(name, shape, settings, f"{needed / 1e9:,.1f} GB of memory, which it did not get")) from None


def bytes_of(name: str, shape: Shape, settings: InteractionSettings) -> int:
    """Memory of a model's numbers for each feature, and of what its optimizer remembers of them, in bytes.

    The first embeddings are drawn before they are put into place, which takes a copy of them.
    """
    if name in KERNELS:
        return KernelLearner.bytes_of(name, shape, settings)
    each = settings.k_of(name) + 1  # the embedding and the linear weight, with two moments each
    return shape.n_features * (4 * (3 * each + settings.k_of(name)) + 8)


def _too_large(name: str, shape: Shape, settings: InteractionSettings, needed: str) -> str:
    fields, k = "", ""
    if name == "ffm":
        fields = f" in {shape.n_fields:,} fields"
    if name != "lr":
        k = f" and k {settings.k_of(name)}"
    remedy = "lower hash_bits" if name == "lr" else "lower k or hash_bits"
    return f"{name} with {shape.n_features:,} features{fields}{k} needs {needed}; {remedy}, or leave out features"
