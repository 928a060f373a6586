"""What the terminal need not show while a pipeline runs."""

import logging

from mutualctr.errors import UserError


class _Quiet(logging.Filter):
    """Drops tracebacks of errors that are the user's to mend, and notes nobody can act on."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], UserError):
            record.exc_info, record.exc_text = None, None
        if record.name.startswith("great_expectations") and record.levelno < logging.WARNING:
            return False
        # One per step, on every orchestrator but ZenML's own local one.
        if str(record.msg).startswith("Initiating heartbeat for step"):
            return False
        # ZenML switches autologging off for frameworks that are not installed, and says so.
        return not str(record.msg).startswith("Failed to disable MLflow autologging")


def quiet_logs() -> None:
    """Filter everything that reaches the terminal through the root logger."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(known, _Quiet) for known in handler.filters):
            handler.addFilter(_Quiet())
