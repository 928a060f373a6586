"""What a person did that we cannot work with, said in one sentence."""


class UserError(Exception):
    """A mistake at the boundary: one sentence that says what, where and how to mend it.

    The command line prints the sentence alone, without a traceback, and exits with 1.
    """


class ConfigError(UserError):
    """The configuration names something that does not exist or cannot hold."""


class DataError(UserError):
    """A file, row or column breaks a rule."""


class RegistryError(UserError):
    """The registry lacks what was asked of it."""


class StackError(UserError):
    """The active ZenML stack lacks what the pipeline needs."""


class ProcessError(UserError):
    """A process that this one started ended before its work was done."""
