"""What a training has learned so far, as tensors by name: weights, batch norms' statistics, and what the optimizer remembers."""

import torch

from common import Tensors
from features.images.picture_network import PictureNetwork
from features.images.settings import PictureSettings

FROZEN = "features."
"""with which the names of convolutions begin that are not trained"""


def make_optimizer(network: PictureNetwork, rate: float, settings: PictureSettings) -> torch.optim.Optimizer:
    """Of the weights that are trained."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(weights, rate, settings.momentum, weight_decay=settings.decay, fused=True)
    return torch.optim.Adam(weights, rate, weight_decay=settings.decay, fused=True)


def learned_weights(network: PictureNetwork) -> Tensors:
    """Copies of all that is trained, with the statistics of batch norms."""
    return {
        name: weight.detach().clone()
        for name, weight in network.state_dict().items()
        if not (network.FROZEN and name.startswith(FROZEN))
    }


def state_of(network: PictureNetwork, optimizer: torch.optim.Optimizer) -> Tensors:
    """`network/...`, and `optimizer/WEIGHT/ENTRY`; SGD without momentum remembers nothing."""
    tensors = {f"network/{name}": weight for name, weight in learned_weights(network).items()}
    for name, weight in network.named_parameters():
        held = optimizer.state.get(weight, {})
        tensors |= {f"optimizer/{name}/{entry}": value for entry, value in held.items() if value is not None}
    return tensors


def load_state(network: PictureNetwork, optimizer: torch.optim.Optimizer, state: Tensors) -> None:
    """Go on from what `state_of` gave."""
    network.load_state_dict(below(state, "network/"), strict=False)
    for name, value in below(state, "optimizer/").items():
        weight, entry = name.rsplit("/", 1)
        own = network.get_parameter(weight)
        # Laid out as the weight is: the optimizer's loops go through both side by side, whatever their order in memory.
        laid_out = torch.empty_like(own.detach()).copy_(value) if value.shape == own.shape else value
        optimizer.state[own][entry] = laid_out


def below(tensors: Tensors, prefix: str) -> Tensors:
    """Those whose names begin with the prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
