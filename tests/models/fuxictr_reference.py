"""The models put together from FuxiCTR's own layers, and our weights carried over to them.

FuxiCTR's wheel brings layers but no models; how they are joined follows model_zoo/<Model>/src in
reczoo/FuxiCTR, without its base class, which would also compile, initialise and move to a device.
Of AutoInt the wheel has the attention, of FinalMLP the MLPs; DIEN's recurrences are in the model's
own file there, so it is held against torch's GRU in test_dien.py instead.
"""

from collections import OrderedDict

import torch
from fuxictr.features import FeatureMap
from fuxictr.pytorch import layers
from torch import Tensor, nn

from models.autoint import HEAD_WIDTH
from models.base import ClickModel
from models.din import UNITS
from models.finalmlp import GATE_HIDDEN

PROJECTIONS = ("query", "key", "value", "residual")
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


class WideDeep(Reference):
    def __init__(self, sizes: list[int], dim: int, hidden: list[int]):
        super().__init__(sizes, dim, first_order=True)
        self.mlp = layers.MLP_Block(len(sizes) * dim, hidden, output_dim=1)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        return self.linear(features) + self.mlp(self.emb(features, flatten_emb=True))


class XDeepFM(Reference):
    def __init__(
        self, sizes: list[int], dim: int, hidden: list[int], cin_layers: int, cin_maps: int
    ):
        super().__init__(sizes, dim, first_order=True)
        self.cin = layers.CompressedInteractionNet(len(sizes), [cin_maps] * cin_layers)
        self.mlp = layers.MLP_Block(len(sizes) * dim, hidden, output_dim=1)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        emb_BFD = self.emb(features)
        return self.linear(features) + self.cin(emb_BFD) + self.mlp(emb_BFD.flatten(1))


class DCNv2(DCN):
    def __init__(self, sizes: list[int], dim: int, hidden: list[int], cross_layers: int):
        super().__init__(sizes, dim, hidden, cross_layers)
        self.cross = layers.CrossNetV2(len(sizes) * dim, cross_layers)


class AutoInt(Reference):
    def __init__(
        self, sizes: list[int], dim: int, hidden: list[int], attention_layers: int, heads: int
    ):
        super().__init__(sizes, dim, first_order=False)
        width, self.heads = heads * HEAD_WIDTH, heads
        widths = [dim] + [width] * (attention_layers - 1)
        self.projections = nn.ModuleList(
            nn.ModuleDict({name: nn.Linear(i, width, bias=False) for name in PROJECTIONS})
            for i in widths
        )
        self.attention = layers.ScaledDotProductAttention()
        self.fc = nn.Linear(len(sizes) * width, 1, bias=False)
        self.mlp = layers.MLP_Block(len(sizes) * dim, hidden, output_dim=1)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        emb_BFD = x_BFX = self.emb(features)
        for project in self.projections:
            heads = [
                project[name](x_BFX).view(*x_BFX.shape[:2], self.heads, -1).transpose(1, 2)
                for name in PROJECTIONS[:3]
            ]
            mixed, _ = self.attention(*heads)
            x_BFX = (mixed.transpose(1, 2).flatten(2) + project["residual"](x_BFX)).relu()
        return self.fc(x_BFX.flatten(1)) + self.mlp(emb_BFD.flatten(1))


class FinalMLP(Reference):
    def __init__(self, sizes: list[int], dim: int, hidden: list[int], context: str, heads: int):
        super().__init__(sizes, dim, first_order=False)
        width, part = len(sizes) * dim, hidden[-1] // heads
        self.streams = nn.ModuleList(layers.MLP_Block(width, hidden) for _ in range(2))
        # A learned context is zero in FuxiCTR, and so are its hidden units.
        self.gates = nn.ModuleList(
            layers.MLP_Block(dim, [GATE_HIDDEN], output_dim=width, output_activation="Sigmoid")
            for _ in range(2)
        )
        self.context = context
        self.first, self.second = nn.Linear(hidden[-1], 1), nn.Linear(hidden[-1], 1, bias=False)
        self.pairs = nn.Parameter(torch.empty(heads, part, part))

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        emb_BFD = self.emb(features)
        one_BY, other_BY = (
            stream(2 * gate(emb_BFD[:, n] * (self.context != "learned")) * emb_BFD.flatten(1))
            for n, (stream, gate) in enumerate(zip(self.streams, self.gates, strict=True))
        )
        heads = len(self.pairs)
        products = [
            torch.einsum("bk,km,bm->b", x, weight, y)
            for x, weight, y in zip(
                one_BY.chunk(heads, 1), self.pairs, other_BY.chunk(heads, 1), strict=True
            )
        ]
        return self.first(one_BY) + self.second(other_BY) + sum(products)[:, None]


class DIN(Reference):
    """The sequence comes as feature `items`, in the ids of the feature it is about."""

    def __init__(self, sizes: list[int], dim: int, hidden: list[int], target: str):
        super().__init__(sizes, dim, first_order=False)
        self.target = target
        self.attention = layers.DIN_Attention(dim, [UNITS], hidden_activations="PReLU")
        self.mlp = layers.MLP_Block((len(sizes) + 1) * dim, hidden, output_dim=1)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        table = self.emb.embedding_layer.embedding_layers[self.target]
        plain = {name: ids for name, ids in features.items() if name != "items"}
        items_BTD, mask_BT = table(features["items"]), features["items"] != 0
        interest_BD = self.attention(table(features[self.target]), items_BTD, mask_BT)
        return self.mlp(torch.cat([self.emb(plain, flatten_emb=True), interest_BD], dim=1))


REFERENCES = {
    "deepfm": DeepFM,
    "dcn": DCN,
    "pnn": PNN,
    "fibinet": FiBiNET,
    "widedeep": WideDeep,
    "xdeepfm": XDeepFM,
    "dcnv2": DCNv2,
    "autoint": AutoInt,
    "finalmlp": FinalMLP,
    "din": DIN,
}


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
    given = ours.state_dict()
    if isinstance(theirs, FinalMLP):
        return _finalmlp(given, theirs)
    state = _mlp(given, "mlp.", "mlp")
    for name, value in given.items():
        part, _, rest = name.partition(".")
        layer, _, kind = rest.partition(".")
        if part == "cross" and isinstance(theirs, DCNv2):
            state[f"cross.cross_layers.{layer}.{kind}"] = value
        elif part == "cross":
            kind = kind.replace("project.weight", "weight.weight")
            state[f"cross.cross_net.{layer}.{kind}"] = value
        elif part == "cin":
            place = f"cin.cin_layer.layer_{int(layer) + 1}"
            state[f"{place}.weight"] = value.unsqueeze(2)
            state[f"{place}.bias"] = torch.zeros(len(value))
        elif part == "attention" and isinstance(theirs, AutoInt):
            state[f"projections.{layer}.{kind}"] = value
        elif part == "attention":  # DIN's unit: linear, PReLU, linear
            place = {"hidden": "0", "slope": "1.weight", "out": "2"}[kind.split(".")[0]]
            end = "" if kind == "slope" else "." + kind.split(".")[1]
            state[f"attention.attention_layer.mlp.{place}{end}"] = value
    if isinstance(theirs, FiBiNET):
        state["senet.excitation.0.weight"] = given["senet.squeeze.weight"]
        state["senet.excitation.2.weight"] = given["senet.excite.weight"]
        for name, pairs in {"pairs_1": theirs.pairs_1, "pairs_2": theirs.pairs_2}.items():
            source = {"pairs_1": "raw_pairs", "pairs_2": "weighted_pairs"}[name]
            state[f"{name}.bilinear_W"] = _padded(given[f"{source}.weight"], pairs.bilinear_W)
    if isinstance(theirs, XDeepFM):
        state["cin.fc.weight"] = given["cin_head.weight"]
        state["cin.fc.bias"] = torch.zeros(1)
    if isinstance(theirs, AutoInt):
        state["fc.weight"] = given["attention_head.weight"]
    hidden_linears = [m for m in theirs.mlp.mlp if isinstance(m, nn.Linear)]
    head = "fc" if isinstance(theirs, DCN) else f"mlp.mlp.{2 * len(hidden_linears) - 2}"
    state[f"{head}.weight"], state[f"{head}.bias"] = given["head.weight"], given["bias"]
    if isinstance(theirs, DeepFM):
        # FuxiCTR has two additive constants; ours is their sum.
        state["linear.bias"] = torch.full_like(given["bias"], 0.25)
        state[f"{head}.bias"] = given["bias"] - 0.25
    return state


def _mlp(given: dict[str, Tensor], ours: str, theirs: str) -> dict[str, Tensor]:
    """Hidden layers; ours: linear, relu, dropout; FuxiCTR without dropout: linear, relu."""
    state = {}
    for name, value in given.items():
        if name.startswith(f"{ours}layers."):
            place, kind = name.removeprefix(f"{ours}layers.").split(".")
            state[f"{theirs}.mlp.{int(place) // 3 * 2}.{kind}"] = value
    return state


def _finalmlp(given: dict[str, Tensor], theirs: FinalMLP) -> dict[str, Tensor]:
    state = {f"{n}.weight": given[f"fusion.{n}.weight"] for n in ("first", "second")}
    state |= {"first.bias": given["bias"], "pairs": given["fusion.weight"]}
    for n in range(2):
        state |= _mlp(given, f"streams.{n}.", f"streams.{n}")
        if theirs.context == "learned":
            gate = dict(theirs.gates[n].state_dict())
            gate["mlp.0.bias"] = torch.zeros_like(gate["mlp.0.bias"])
            gate["mlp.2.bias"] = given[f"gates.{n}.bias"]
        else:
            gate = {
                f"mlp.{place}.{kind}": given[f"gates.{n}.{name}.{kind}"]
                for place, name in ((0, "hidden"), (2, "out"))
                for kind in ("weight", "bias")
            }
        state |= {f"gates.{n}.{name}": value for name, value in gate.items()}
    return state


def _padded(ours_KDD: Tensor, theirs: Tensor) -> Tensor:
    """FuxiCTR's shape: `all` has no stack, `each` a matrix for the last field that nothing uses."""
    if theirs.ndim == 2:
        return ours_KDD[0]
    padded = torch.full_like(theirs, 7.0)
    padded[: len(ours_KDD)] = ours_KDD
    return padded
