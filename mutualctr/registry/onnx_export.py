"""A trained peer as an ONNX graph: ids in, logits out, any number of rows.

The graph is the model's own `forward` in evaluation, traced by torch.export, so it says the same
as `predict` up to rounding. The feature map that makes ids from raw rows is not part of it.
"""

import warnings
from importlib.util import find_spec
from pathlib import Path

import torch

from models.base import ClickModel
from mutualctr.errors import StackError
from mutualctr.files import replacing

INPUT, OUTPUT = "ids", "logit"
NEEDED = ("onnx", "onnxscript")


def export_onnx(model: ClickModel, num_fields: int, path: Path) -> None:
    """Write `model` to `path`: input `ids` int32 [rows, num_fields], output `logit` float [rows].

    Raises StackError where the packages of the `onnx` extra are absent.
    """
    absent = [package for package in NEEDED if find_spec(package) is None]
    if absent:
        raise StackError(
            f"exporting to ONNX needs {' and '.join(absent)}, which is not installed: "
            "pip install 'mutualctr[onnx]'."
        )
    # Two rows, since torch.export takes a size of one for a constant.
    ids_BF = torch.zeros(2, num_fields, dtype=torch.int32)
    training = model.training
    model.eval()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # notes of the exporter about its own internals
            program = torch.onnx.export(
                model,
                (ids_BF,),
                dynamo=True,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("rows")},),
                verbose=False,
            )
    finally:
        model.train(training)
    with replacing(path) as temporary:
        program.save(temporary)
