"""MutualCTR: pretrain N click models alone, then let them finetune each other for one epoch."""

__version__ = "0.1.0"
