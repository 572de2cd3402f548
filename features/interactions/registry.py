"""The models of interactions, behind one interface: `make_learner(name, shape, settings)`.

A new one is a `Learner`, a line in `LEARNERS` and its name in the settings.
"""

from collections.abc import Callable
from functools import partial

from common import InputError, unknown
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
        InputError: an unknown name, or data without features.
    """
    if name not in LEARNERS:
        raise InputError(unknown("model of interactions", name, LEARNERS))
    if shape.n_features < 1 or shape.n_fields < 1:
        raise InputError(f"a model needs a feature and a field, but the data have {shape.n_features} and {shape.n_fields}")
    return LEARNERS[name](shape, settings)
