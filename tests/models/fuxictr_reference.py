"""The four models put together from FuxiCTR's own layers, and our weights carried over to them.

FuxiCTR's wheel brings layers but no models; how they are joined follows model_zoo/<Model>/src in
reczoo/FuxiCTR (DeepFM, DCN_torch, PNN, FiBiNET), without its base class, which would also
compile, initialise and move to a device.
"""

from collections import OrderedDict

import torch
from fuxictr.features import FeatureMap
from fuxictr.pytorch import layers
from torch import Tensor, nn

from models.base import ClickModel

MAIN = "emb.embedding_layer.embedding_layers.{}.weight"
FIRST_ORDER = "linear.embedding_layer.embedding_layer.embedding_layers.{}.weight"


def feature_map(vocabulary_sizes: list[int]) -> FeatureMap:
    """One categorical feature f0, f1, … per vocabulary size."""
    described = FeatureMap("clicks", data_dir="")
    described.num_fields = len(vocabulary_sizes)
    described.features = OrderedDict(
        (f"f{f}", {"type": "categorical", "vocab_size": size, "source": ""})
        for f, size in enumerate(vocabulary_sizes)
    )
    return described


class Reference(nn.Module):
    """Embeddings of FuxiCTR and, where a model has it, its logistic regression."""

    def __init__(self, sizes: list[int], dim: int, first_order: bool, bias: bool = False):
        super().__init__()
        described = feature_map(sizes)
        self.emb = layers.FeatureEmbedding(described, dim)
        if first_order:
            self.linear = layers.LogisticRegression(described, use_bias=bias)


class DeepFM(Reference):
    def __init__(self, sizes: list[int], dim: int, hidden: list[int]):
        super().__init__(sizes, dim, first_order=True, bias=True)
        self.fm = layers.InnerProductInteraction(len(sizes), output="product_sum")
        self.mlp = layers.MLP_Block(len(sizes) * dim, hidden, output_dim=1)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        emb_BFD = self.emb(features)
        return self.linear(features) + self.fm(emb_BFD) + self.mlp(emb_BFD.flatten(1))


class DCN(Reference):
    def __init__(self, sizes: list[int], dim: int, hidden: list[int], cross_layers: int):
        super().__init__(sizes, dim, first_order=False)
        width = len(sizes) * dim
        self.cross = layers.CrossNet(width, cross_layers)
        self.mlp = layers.MLP_Block(width, hidden, output_dim=None)
        self.fc = nn.Linear(width + hidden[-1], 1)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        x_BX = self.emb(features, flatten_emb=True)
        return self.fc(torch.cat([self.cross(x_BX), self.mlp(x_BX)], dim=-1))


class PNN(Reference):
    def __init__(self, sizes: list[int], dim: int, hidden: list[int], product: str):
        assert product == "inner", "FuxiCTR has no outer product"
        super().__init__(sizes, dim, first_order=False)
        fields = len(sizes)
        self.inner = layers.InnerProductInteraction(fields, output="inner_product")
        self.mlp = layers.MLP_Block(fields * dim + fields * (fields - 1) // 2, hidden, output_dim=1)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        emb_BFD = self.emb(features)
        return self.mlp(torch.cat([emb_BFD.flatten(1), self.inner(emb_BFD)], dim=1))


class FiBiNET(Reference):
    def __init__(
        self, sizes: list[int], dim: int, hidden: list[int], bilinear: str, reduction: int
    ):
        super().__init__(sizes, dim, first_order=True)
        fields = len(sizes)
        self.senet = layers.SqueezeExcitation(fields, reduction, "ReLU")
        self.pairs_1 = layers.BilinearInteractionV2(fields, dim, f"field_{bilinear}")
        self.pairs_2 = layers.BilinearInteractionV2(fields, dim, f"field_{bilinear}")
        self.mlp = layers.MLP_Block(fields * (fields - 1) * dim, hidden, output_dim=1)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        emb_BFD = self.emb(features)
        pairs = [self.pairs_1(emb_BFD), self.pairs_2(self.senet(emb_BFD))]
        return self.linear(features) + self.mlp(torch.cat(pairs, dim=1).flatten(1))


REFERENCES = {"deepfm": DeepFM, "dcn": DCN, "pnn": PNN, "fibinet": FiBiNET}


def carry_over(ours: ClickModel, theirs: Reference, sizes: list[int]) -> None:
    """Give FuxiCTR's model our weights; every trainable parameter it has must be among them."""
    state = {**_tables(ours, theirs, sizes), **_dense(ours, theirs)}
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    trained = {name for name, parameter in theirs.named_parameters() if parameter.requires_grad}
    # FuxiCTR keeps its pair indices as parameters without gradient; only they may stay.
    assert not unexpected
    assert not trained & set(missing)


def _tables(ours: ClickModel, theirs: Reference, sizes: list[int]) -> dict[str, Tensor]:
    dim, state = ours.embedding.embedding_dim, {}
    for f, rows_VE in enumerate(ours.table.detach().split(sizes)):
        state[MAIN.format(f"f{f}")] = rows_VE[:, :dim]
        if hasattr(theirs, "linear"):
            state[FIRST_ORDER.format(f"f{f}")] = rows_VE[:, dim:]
    return state


def _dense(ours: ClickModel, theirs: Reference) -> dict[str, Tensor]:
    given, state = ours.state_dict(), {}
    hidden_linears = [m for m in theirs.mlp.mlp if isinstance(m, nn.Linear)]
    for name, value in given.items():
        part, _, rest = name.partition(".")
        if part == "mlp":  # ours: linear, relu, dropout; FuxiCTR without dropout: linear, relu
            place, kind = rest.removeprefix("layers.").split(".")
            state[f"mlp.mlp.{int(place) // 3 * 2}.{kind}"] = value
        elif part == "cross":
            layer, kind = rest.split(".", 1)
            kind = kind.replace("project.weight", "weight.weight")
            state[f"cross.cross_net.{layer}.{kind}"] = value
    if isinstance(theirs, FiBiNET):
        state["senet.excitation.0.weight"] = given["senet.squeeze.weight"]
        state["senet.excitation.2.weight"] = given["senet.excite.weight"]
        for name, pairs in {"pairs_1": theirs.pairs_1, "pairs_2": theirs.pairs_2}.items():
            source = {"pairs_1": "raw_pairs", "pairs_2": "weighted_pairs"}[name]
            state[f"{name}.bilinear_W"] = _padded(given[f"{source}.weight"], pairs.bilinear_W)
    head = "fc" if isinstance(theirs, DCN) else f"mlp.mlp.{2 * len(hidden_linears) - 2}"
    state[f"{head}.weight"], state[f"{head}.bias"] = given["head.weight"], given["bias"]
    if isinstance(theirs, DeepFM):
        # FuxiCTR has two additive constants; ours is their sum.
        state["linear.bias"] = torch.full_like(given["bias"], 0.25)
        state[f"{head}.bias"] = given["bias"] - 0.25
    return state


def _padded(ours_KDD: Tensor, theirs: Tensor) -> Tensor:
    """FuxiCTR's shape: `all` has no stack, `each` a matrix for the last field that nothing uses."""
    if theirs.ndim == 2:
        return ours_KDD[0]
    padded = torch.full_like(theirs, 7.0)
    padded[: len(ours_KDD)] = ours_KDD
    return padded
