"""The networks: convolutions, LSTM, GRU and a linear map from N past rows to K scaled targets.

Nothing here draws from torch's global seed.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from common import InputError
from features.forecasters.settings import ForecastSettings
from features.torch_tools import Draw, drop

CONVOLUTIONS: dict[int, list[tuple[int, int]]] = {
    2: [(20, 3), (16, 4)],
    3: [(8, 3), (8, 2), (8, 2)],
    4: [(2, 2), (2, 2), (2, 2), (2, 2)],
}
"""(kernel size, stride) of each layer: 256 bars become 16"""
FILTERS = 8
LEAK = 0.3  # slope of the leaky ReLU below its zero


class Network(nn.Module):
    """Maps float32 (B, N, C) to float32 (B, K), and says what its hidden layers gave, for activity regularisation.

    The subclasses' `outputs` are what comes before the activation.
    """

    def __init__(self, settings: ForecastSettings) -> None:
        super().__init__()
        self.settings = settings
        self.low: Tensor
        self.register_buffer("low", torch.zeros(settings.future_bars))

    def forward(self, rows: Tensor, draw: Draw = None) -> tuple[Tensor, list[Tensor]]:
        """Outputs (B, K), and the outputs of the hidden layers."""
        raw, hidden = self.outputs(rows, draw)
        slope = LEAK if self.settings.activation == "leaky_relu" else 0.0
        return nn.functional.leaky_relu(raw - self.low, slope) + self.low, hidden

    def outputs(self, rows: Tensor, draw: Draw) -> tuple[Tensor, list[Tensor]]:
        raise NotImplementedError

    def weights(self, group: str) -> Iterable[Tensor]:
        """The hidden layers' weights that l1 and l2 are applied to: `kernel`, `bias` or `recurrent`."""
        raise NotImplementedError


class Convolutions(Network):
    """Strided convolutions, tanh and dropout after each; a linear head sees all of what the last one gives.

    Without the head, each horizon would be forecast from its own stretch of the past, and only the last one from the newest bars.
    Where kernel and stride do not fit the length, the oldest rows are left out, and not the newest as torch would have it.

    Raises:
        InputError: too few bars for the kernels.
    """

    def __init__(self, settings: ForecastSettings) -> None:
        super().__init__(settings)
        layers, channels, length = [], len(settings.inputs), settings.past_bars
        for kernel, stride in CONVOLUTIONS[settings.conv_layers]:
            layers.append(nn.Conv1d(channels, FILTERS, kernel, stride))
            channels, length = FILTERS, (length - kernel) // stride + 1
            if length < 1:
                raise InputError(
                    f"a cnn of {settings.conv_layers} layers needs more bars than `past_bars` {settings.past_bars}; raise it"
                )
        self.layers = nn.ModuleList(layers)
        self.head = nn.Linear(FILTERS * length, settings.future_bars)

    def outputs(self, rows: Tensor, draw: Draw) -> tuple[Tensor, list[Tensor]]:
        now, hidden = rows.transpose(1, 2), []  # (B, N, C) -> (B, C, N)
        for layer, (kernel, stride) in zip(self.layers, CONVOLUTIONS[self.settings.conv_layers], strict=True):
            hidden.append(torch.tanh(layer(now[:, :, (now.shape[2] - kernel) % stride :])))
            now = drop(hidden[-1], self.settings.dropout, draw)
        return self.head(now.flatten(1)), hidden

    def weights(self, group: str) -> Iterable[Tensor]:
        if group == "recurrent":
            raise InputError("`regularize: recurrent` is for lstm and gru, but a cnn has no recurrent weights; use kernel")
        return [getattr(layer, "weight" if group == "kernel" else "bias") for layer in self.layers]


class Recurrent(Network):
    """One LSTM or GRU layer, whose last output, after tanh and dropout, a linear head maps to the K horizons."""

    GROUPS = {"kernel": ("weight_ih_l0",), "recurrent": ("weight_hh_l0",), "bias": ("bias_ih_l0", "bias_hh_l0")}  # noqa: RUF012

    def __init__(self, settings: ForecastSettings, layer: type[nn.LSTM] | type[nn.GRU]) -> None:
        super().__init__(settings)
        self.layer = layer(len(settings.inputs), settings.units)  # time first: batches are small, steps are many
        self.head = nn.Linear(settings.units, settings.future_bars)

    def outputs(self, rows: Tensor, draw: Draw) -> tuple[Tensor, list[Tensor]]:
        steps, _ = self.layer(rows.transpose(0, 1).contiguous())  # (B, N, C) -> (N, B, units)
        last = torch.tanh(steps[-1])
        return self.head(drop(last, self.settings.dropout, draw)), [last]

    def weights(self, group: str) -> Iterable[Tensor]:
        return [getattr(self.layer, name) for name in self.GROUPS[group]]


class Linear(Network):
    """A linear map of all N * C inputs, without an activation."""

    def __init__(self, settings: ForecastSettings) -> None:
        super().__init__(settings)
        self.head = nn.Linear(settings.past_bars * len(settings.inputs), settings.future_bars)

    def forward(self, rows: Tensor, draw: Draw = None) -> tuple[Tensor, list[Tensor]]:
        """Outputs (B, K), and no hidden ones."""
        return self.head(rows.flatten(1)), []


NETWORKS: dict[str, Callable[[ForecastSettings], Network]] = {
    "linear": Linear,
    "cnn": Convolutions,
    "lstm": lambda settings: Recurrent(settings, nn.LSTM),
    "gru": lambda settings: Recurrent(settings, nn.GRU),
}


def build_network(name: str, settings: ForecastSettings) -> Network:
    """A network whose weights have yet to be set: torch draws first ones from its global seed, which is left as it was."""
    with torch.random.fork_rng(devices=[]):
        return NETWORKS[name](settings)


def initialise(network: Network, generator: torch.Generator) -> None:
    """Glorot's uniform weights, orthogonal recurrent ones, biases 0, and 1 for what an LSTM keeps: as Keras begins.

    Sources: Glorot & Bengio (2010); Saxe et al. (2014); Jozefowicz et al. (2015) on the forget gate.
    """
    for name, weight in network.named_parameters():
        with torch.no_grad():
            if weight.ndim == 1:
                weight.zero_()
            elif "weight_hh" in name:
                for gate in weight.chunk(len(weight) // network.settings.units):
                    nn.init.orthogonal_(gate, generator=generator)
            else:
                nn.init.xavier_uniform_(weight, generator=generator)
    if isinstance(network, Recurrent) and isinstance(network.layer, nn.LSTM):
        units = network.settings.units
        with torch.no_grad():
            biases = dict(network.layer.named_parameters())["bias_ih_l0"]
            biases[units : 2 * units] = 1.0  # torch orders the gates: input, forget, cell, output


def penalty(network: Network, hidden: list[Tensor]) -> Tensor:
    """l1 times the sum of absolute values plus l2 times the sum of squares of the chosen group; of activities, a window."""
    settings = network.settings
    activity = settings.regularize == "activity"
    values = hidden if activity else network.weights(settings.regularize)
    total = torch.zeros(())
    for value in values:
        amount = settings.l1 * value.abs().sum() + settings.l2 * value.square().sum()
        total = total + amount / (len(value) if activity else 1)
    return total
