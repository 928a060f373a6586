"""The dense layers every architecture shares. B rows, X input width, H last hidden width."""

from collections.abc import Sequence

from torch import Tensor, nn


def linear(in_width: int, out_width: int, *, bias: bool) -> nn.Linear:
    """A linear layer with Xavier-normal weight and zero bias, the start FuxiCTR uses."""
    layer = nn.Linear(in_width, out_width, bias=bias)
    nn.init.xavier_normal_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


class MLP(nn.Module):
    """Hidden layers x ← dropout(relu(W x + b)), one per entry of `hidden`; no output layer.

    Raises ValueError where `hidden` is empty.
    """

    def __init__(self, in_width: int, hidden: Sequence[int], dropout: float):
        super().__init__()
        if not hidden:
            raise ValueError("hidden is empty; give the width of at least one hidden layer.")
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [linear(in_width, width, bias=True), nn.ReLU(), nn.Dropout(dropout)]
            in_width = width
        self.layers = nn.Sequential(*layers)

    def forward(self, x_BX: Tensor) -> Tensor:
        """Return hidden_BH."""
        return self.layers(x_BX)
