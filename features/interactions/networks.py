"""The networks of interactions: Wide & Deep, Deep & Cross and its second version, DeepFM, xDeepFM.

They map the fields' embeddings to one margin a row. The embeddings themselves live in `embedding_table.py`, the training in
`network_learner.py`. Nothing here draws from torch's global seed.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from features.forecasters.networks import Draw, drop
from features.interactions.learner import Shape
from features.interactions.settings import InteractionSettings

PRODUCTS = 1 << 20
"""numbers that a CIN multiplies at once: they stay in a processor's cache, which with many fields is twice as fast"""


class Network(nn.Module):
    """A map of float32 (B, F, k), the embeddings of the fields, and (B,), the linear part, to margins (B,).

    Attributes:
        HAS_LINEAR: whether it adds the linear part; the others leave it out, and their table has no weights for it.
    """

    HAS_LINEAR: ClassVar[bool] = True

    def __init__(self, shape: Shape, settings: InteractionSettings, k: int) -> None:
        super().__init__()
        self.deep = Deep(shape.n_fields * k, settings.hidden_layers, settings.dropout)

    def forward(self, fields: Tensor, linear: Tensor, draw: Draw = None) -> Tensor:
        raise NotImplementedError


class WideDeep(Network):
    """The linear part plus a deep one (Cheng et al. 2016, eq. 3); crosses of features are the caller's to make as fields."""

    def forward(self, fields: Tensor, linear: Tensor, draw: Draw = None) -> Tensor:
        return linear + self.deep(fields.flatten(1), draw)


class DeepFM(Network):
    """The linear part, the products of all pairs of fields, and a deep part on the same embeddings (Guo et al. 2017, eq. 1)."""

    def forward(self, fields: Tensor, linear: Tensor, draw: Draw = None) -> Tensor:
        return linear + pair_products(fields) + self.deep(fields.flatten(1), draw)


class CrossNetwork(Network):
    """A cross network and a deep one side by side; one linear map of both outputs is the margin (Wang et al. 2017, eq. 6)."""

    HAS_LINEAR = False
    CROSS: ClassVar[type["VectorCross | MatrixCross"]]

    def __init__(self, shape: Shape, settings: InteractionSettings, k: int) -> None:
        super().__init__(shape, settings, k)
        width = shape.n_fields * k
        self.cross = self.CROSS(width, settings.cross_layers)
        self.head = nn.Linear(width, 1, bias=False)

    def forward(self, fields: Tensor, linear: Tensor, draw: Draw = None) -> Tensor:
        row = fields.flatten(1)  # (B, F, k) -> (B, F k)
        return self.head(self.cross(row)).squeeze(1) + self.deep(row, draw)


class XDeepFM(Network):
    """The linear part, a compressed interaction network and a deep part (Lian et al. 2018, eq. 10)."""

    def __init__(self, shape: Shape, settings: InteractionSettings, k: int) -> None:
        super().__init__(shape, settings, k)
        self.cin = CompressedInteractions(shape.n_fields, settings.cin_layers)
        self.head = nn.Linear(self.cin.width, 1, bias=False)

    def forward(self, fields: Tensor, linear: Tensor, draw: Draw = None) -> Tensor:
        return linear + self.head(self.cin(fields)).squeeze(1) + self.deep(fields.flatten(1), draw)


class Deep(nn.Module):
    """Linear layers with ReLU and dropout, and a linear map to one number: (B, width) -> (B,)."""

    def __init__(self, width: int, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        widths = (width, *hidden)
        self.layers = nn.ModuleList(nn.Linear(*sizes) for sizes in zip(widths[:-1], hidden, strict=True))
        self.head = nn.Linear(hidden[-1], 1)

    def forward(self, row: Tensor, draw: Draw = None) -> Tensor:
        for layer in self.layers:
            row = drop(torch.relu(layer(row)), self.dropout, draw)
        return self.head(row).squeeze(1)


class VectorCross(nn.Module):
    """`x_{l+1} = x_0 (x_l . w_l) + b_l + x_l` (Wang et al. 2017, eq. 3): (B, width) -> (B, width).

    By induction x_l is `scale_l x_0 + shift_l`, with one scale a row and a shift that all rows share. So all products with x_0
    are one matrix product, and no x_l between the first and the last is made.
    """

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(layers, width))
        self.bias = nn.Parameter(torch.zeros(layers, width))

    def forward(self, row: Tensor) -> Tensor:
        products = nn.functional.linear(row, self.weight)  # (B, width) -> (B, layers)
        scale, shift = torch.ones_like(products[:, 0]), torch.zeros_like(self.bias[0])
        for layer, (weight, bias) in enumerate(zip(self.weight, self.bias, strict=True)):
            scale = scale + scale * products[:, layer] + shift @ weight
            shift = shift + bias
        return scale[:, None] * row + shift


class MatrixCross(nn.Module):
    """`x_{l+1} = x_0 * (W_l x_l + b_l) + x_l` (Wang et al. 2021, eq. 1): (B, width) -> (B, width)."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))

    def forward(self, row: Tensor) -> Tensor:
        now = row
        for layer in self.layers:
            now = torch.addcmul(now, row, layer(now))
        return now


class CompressedInteractions(nn.Module):
    """CIN: `x_{l+1}[o] = sum_hm W_l[o, h, m] x_l[h] * x_0[m]`, products by element; (B, F, k) -> (B, width), sums over k.

    Source: Lian et al. (2018), eq. 6 to 8, with the identity as activation, which the paper found best. As in the authors' code
    a layer's maps are split: the first half goes on to the next layer, the other half to the output; of the last layer all go to
    the output. An odd map goes on.

    What goes to the output alone needs no maps: its sum over k is W_l times the products `x_l x_0^T` (F_l, F), which are k times
    fewer numbers than the maps' inputs.
    """

    def __init__(self, n_fields: int, maps: tuple[int, ...]) -> None:
        super().__init__()
        self.onward = [(count + 1) // 2 for count in maps[:-1]] + [0]
        inputs = [n_fields, *self.onward[:-1]]
        self.weights = nn.ParameterList(torch.zeros(count, before * n_fields) for count, before in zip(maps, inputs, strict=True))
        self.width = sum(maps) - sum(self.onward)

    def forward(self, fields: Tensor) -> Tensor:
        now, outputs = fields, []
        for weight, onward in zip(self.weights, self.onward, strict=True):
            grams = torch.bmm(now, fields.transpose(1, 2))  # (B, F_l, k), (B, k, F) -> (B, F_l, F)
            outputs.append(nn.functional.linear(grams.flatten(1), weight[onward:]))
            if onward:
                count = max(1, PRODUCTS // (weight.shape[1] * fields.shape[2]))
                parts = zip(now.split(count), fields.split(count), strict=True)
                now = torch.cat([_maps(weight[:onward], *part) for part in parts])
        return torch.cat(outputs, 1)


def _maps(weight: Tensor, now: Tensor, fields: Tensor) -> Tensor:
    """One layer's maps of a few rows: (B, F_l, k), (B, F, k) -> (B, onward, k), by one matrix product for all of them."""
    rows, k = len(now), now.shape[2]
    now, fields = now.transpose(0, 1).flatten(1), fields.transpose(0, 1).flatten(1)  # (B, F, k) -> (F, B k)
    maps = weight @ (now[:, None] * fields).flatten(0, 1)  # (onward, F_l F), (F_l F, B k) -> (onward, B k)
    return maps.unflatten(1, (rows, k)).transpose(0, 1)


def pair_products(fields: Tensor) -> Tensor:
    """The dot products of all pairs of fields' embeddings, summed: (B, F, k) -> (B,), in O(F k) (Rendle 2010, lemma 3.1)."""
    return (fields.sum(1).square() - fields.square().sum(1)).sum(1) / 2


class DCN(CrossNetwork):
    """Deep & Cross (Wang et al. 2017)."""

    CROSS = VectorCross


class DCNv2(CrossNetwork):
    """The second version of Deep & Cross, in parallel (Wang et al. 2021)."""

    CROSS = MatrixCross


NETWORKS: dict[str, type[Network]] = {
    "wide_deep": WideDeep,
    "dcn": DCN,
    "dcn_v2": DCNv2,
    "deepfm": DeepFM,
    "xdeepfm": XDeepFM,
}


def build_network(name: str, shape: Shape, settings: InteractionSettings, generator: torch.Generator) -> Network:
    """A network of `NETWORKS` with its first weights: Glorot's uniform ones, biases 0, from `generator` alone.

    Source: Glorot & Bengio (2010). Torch draws from its global seed as well, which is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        network = NETWORKS[name](shape, settings, settings.k_of(name))
    for parameter_name, weight in network.named_parameters():
        with torch.no_grad():
            if "bias" in parameter_name:
                weight.zero_()
            else:
                nn.init.xavier_uniform_(weight, generator=generator)
    return network
