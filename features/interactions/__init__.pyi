from .learner import Learner as Learner, Shape as Shape
from .settings import KERNELS as KERNELS, MODELS as MODELS, InteractionSettings as InteractionSettings
