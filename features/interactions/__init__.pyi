from .field_pairs import PAIRWISE as PAIRWISE
from .learner import Learner as Learner, Shape as Shape
from .losses import losses_of as losses_of, probabilities_of as probabilities_of
from .registry import LEARNERS as LEARNERS, make_learner as make_learner
from .settings import (
    KERNELS as KERNELS,
    MODELS as MODELS,
    InteractionModelSettings as InteractionModelSettings,
    InteractionSettings as InteractionSettings,
)
from .training import FittedInteractions as FittedInteractions, fit_interactions as fit_interactions
