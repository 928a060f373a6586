"""The learning rate of the paper: one tenth after three epochs."""

DECADE_EPOCHS = 3


def learning_rate(initial: float, epochs: float) -> float:
    """lr(t) = lr₀ · 10^(−t/3), t in epochs since the start of the phase, fractions included.

    Source: paper §3.1.4, "exponential decay function that reduces the learning rate to one tenth
    in three epochs". Our choice: it falls at every step, not in stairs.
    """
    return initial * 10 ** (-epochs / DECADE_EPOCHS)
