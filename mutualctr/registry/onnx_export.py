"""A trained peer as an ONNX graph: ids in, logits out, any number of rows.

The graph is the model's own `forward` in evaluation as torch.export reads it, so it says the same
as `predict` up to rounding. The feature map that makes ids of raw rows is not part of it.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from mutualctr.errors import StackError
from mutualctr.files import replacing

INPUT, OUTPUT = "ids", "logit"
NEEDED = ("onnx", "onnxscript")


def export_onnx(model: nn.Module, num_fields: int, path: Path) -> None:
    """Write `model` to `path`: input `ids` int32 [rows, num_fields], output `logit` float32 [rows].

    Raises StackError where the packages of the `onnx` extra are absent.
    """
    absent = [package for package in NEEDED if find_spec(package) is None]
    if absent:
        raise StackError(
            f"exporting to ONNX needs {' and '.join(absent)}; "
            "install the extra with pip install 'mutualctr[onnx]'."
        )
    # Two rows, because torch.export takes a size of one for a constant.
    ids_BF = torch.zeros(2, num_fields, dtype=torch.int32)
    with _evaluating(model), _quiet(), torch.no_grad():
        program = torch.onnx.export(
            model,
            (ids_BF,),
            dynamo=True,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("rows")},),
            verbose=False,
        )
    (ids,) = program.model.graph.inputs
    assert not isinstance(ids.shape[0], int), "an operator fixed the number of rows"
    with replacing(path) as temporary:
        program.save(temporary)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Dropout off, and back to what it was."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's notes about packages it can do without."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
