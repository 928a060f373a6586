"""What holds for every registered model under every value of every option, by being registered."""

from collections import Counter
from itertools import product

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from models.base import ClickModel
from models.registry import ARCHITECTURES, Option, build, options_of
from models.sequence import Sequence

ROWS, FIELDS, IDS = 32, 6, 192
PER_FIELD = IDS // FIELDS
# For architectures that read sequences the last three columns are places of items.
SEQUENCE = Sequence(start=3, length=3, target=2, padding_id=3 * PER_FIELD)
COUNTS = {"heads": (1, 2, 4)}  # heads must divide the last hidden layer


def values(name: str, option: Option) -> tuple:
    return option.choices or COUNTS.get(name, (1, 2, 3))


CASES = [
    (architecture, dict(zip(options_of(architecture), chosen, strict=True)))
    for architecture in ARCHITECTURES
    for chosen in product(*(values(*option) for option in options_of(architecture).items()))
]
every_model = pytest.mark.parametrize(
    ("architecture", "options"), CASES, ids=["-".join(map(str, [a, *o.values()])) for a, o in CASES]
)


def fresh(architecture: str, options: dict, seed: int = 0) -> ClickModel:
    torch.manual_seed(seed)
    return build(
        architecture,
        num_ids=IDS,
        num_fields=FIELDS,
        embedding_dim=4,
        hidden=(16, 8),
        dropout=0.0,
        sequences=(SEQUENCE,),
        **options,
    )


def grown(architecture: str, options: dict) -> ClickModel:
    """A model whose table has the size of a trained one, so that no signal is lost in rounding."""
    model = fresh(architecture, options)
    torch.nn.init.normal_(model.table, std=0.5)
    with torch.no_grad():
        model.table[SEQUENCE.padding_id] = 0.0
    return model


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """ids_BF with each field in its own range of the table, some places empty; label_B."""
    generator = torch.Generator().manual_seed(1)
    ids_BF = torch.randint(PER_FIELD, (ROWS, FIELDS), generator=generator)
    label_B = torch.randint(2, (ROWS,), generator=generator).float()
    ids_BF += PER_FIELD * torch.arange(FIELDS)
    ids_BF[:4, SEQUENCE.start] = SEQUENCE.padding_id
    return ids_BF, label_B


def test_the_matrix_visits_every_architecture_and_option_value():
    assert Counter(architecture for architecture, _ in CASES) == {
        "deepfm": 1,
        "dcn": 3,
        "pnn": 2,
        "fibinet": 9,
        "widedeep": 1,
        "xdeepfm": 9,
        "dcnv2": 3,
        "autoint": 9,
        "finalmlp": 6,
        "dicn": 9,
        "din": 1,
        "dien": 1,
    }
    assert len(ARCHITECTURES) == 12


@every_model
def test_one_finite_logit_per_row(architecture, options):
    ids_BF, label_B = batch()
    model = fresh(architecture, options)
    logit_B = model(ids_BF)
    assert logit_B.shape == label_B.shape
    assert logit_B.isfinite().all()
    assert model(ids_BF[:1]).shape == (1,)


@every_model
def test_every_parameter_gets_a_finite_gradient(architecture, options):
    ids_BF, label_B = batch()
    model = grown(architecture, options)
    binary_cross_entropy_with_logits(model(ids_BF), label_B).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.count_nonzero() > 0, name
    untouched = torch.ones(IDS, dtype=torch.bool)
    untouched[ids_BF.flatten()] = False
    assert untouched.any()
    assert model.table.grad[untouched].count_nonzero() == 0


@every_model
def test_interacting_gathered_rows_is_forward(architecture, options):
    ids_BF, label_B = batch()
    model = grown(architecture, options)
    rows_BFE = model.table.detach()[ids_BF].requires_grad_()
    logit_B = model.interact(model.embedding.part(rows_BFE))
    assert torch.equal(logit_B, model(ids_BF))

    # The rows' gradient, scattered by whoever gathered them, is the table's gradient.
    binary_cross_entropy_with_logits(logit_B, label_B).backward()
    scattered = torch.zeros_like(model.table).index_add_(
        0, ids_BF.flatten(), rows_BFE.grad.flatten(0, 1)
    )
    binary_cross_entropy_with_logits(model(ids_BF), label_B).backward()
    torch.testing.assert_close(scattered, model.table.grad)


@every_model
def test_learning_is_interacting_and_what_a_model_adds_is_one_number(architecture, options):
    ids_BF, _ = batch()
    model = grown(architecture, options)
    rows = model.embedding(ids_BF)
    logit_B, own_loss = model.learn(rows)
    assert torch.equal(logit_B, model.interact(rows))
    assert (own_loss is not None) == (architecture == "dien")
    if own_loss is not None:
        assert own_loss.shape == ()
        own_loss.backward()
        assert model.table.grad[SEQUENCE.padding_id].count_nonzero() == 0
        assert model.table.grad.count_nonzero() > 0


@every_model
def test_overfits_one_batch(architecture, options):
    ids_BF, label_B = batch()
    model = fresh(architecture, options)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        loss = binary_cross_entropy_with_logits(model(ids_BF), label_B)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.02


@every_model
def test_state_dict_round_trip_is_bit_equal(architecture, options):
    ids_BF, _ = batch()
    model, other = grown(architecture, options), fresh(architecture, options, seed=9)
    assert not torch.equal(model(ids_BF), other(ids_BF))
    other.load_state_dict(model.state_dict())
    assert torch.equal(model(ids_BF), other(ids_BF))
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}


@every_model
def test_the_seed_decides_every_weight(architecture, options):
    one, same, other = (fresh(architecture, options, seed).state_dict() for seed in (3, 3, 4))
    for name in one:
        assert torch.equal(one[name], same[name]), name
        assert not_decayed(name) or not torch.equal(one[name], other[name]), name
        assert not not_decayed(name) or one[name].unique().numel() == 1, name
        assert not name.endswith("bias") or one[name].count_nonzero() == 0, name


@every_model
def test_parameters_fall_into_table_weights_and_biases(architecture, options):
    model = fresh(architecture, options)
    named = dict(model.named_parameters())
    assert named.pop("embedding.weight") is model.table
    assert ids_of(named.values()) == ids_of(model.dense_parameters())
    # By name here and by shape in the code, so that one keeps the other honest.
    weights = [parameter for name, parameter in named.items() if not not_decayed(name)]
    assert ids_of(weights) == ids_of(model.dense_weights())


def not_decayed(name: str) -> bool:
    return name.endswith(("bias", "slope"))


def ids_of(parameters) -> list[int]:
    return sorted(map(id, parameters))
