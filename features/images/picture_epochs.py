"""What a training on pictures tells of an epoch."""

from dataclasses import dataclass

from features.epochs import Epoch


@dataclass(frozen=True, kw_only=True)
class PictureEpoch(Epoch):
    """`Epoch` with the shares of pictures whose most probable class is theirs.

    Loss and accuracy of train are taken before each step, with dropout and varied pictures, so they are often worse than those of
    validation. Without validation pictures, those of train stand in their place.
    """

    accuracy: float
    validation_accuracy: float
