"""The door of the tiny pipeline, as dml_finetune.py is the real one's."""

import sys

from tiny_pipeline import tiny

sys.modules[__name__] = tiny
