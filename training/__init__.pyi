from .run_listener import RunListener as RunListener
from .settings import (
    TrainSettings as TrainSettings,
    require_trainable as require_trainable,
    spread_in_words as spread_in_words,
)
from .training_log import TrainingLog as TrainingLog
from .training_loop import (
    Trained as Trained,
    TrainingDiverged as TrainingDiverged,
    TrainingListener as TrainingListener,
    train_agent as train_agent,
)
from .validation import Validation as Validation
