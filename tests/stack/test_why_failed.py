"""Whose failure is told: that of the step that failed first, not of those ended because of it."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from zenml.enums import ExecutionStatus

from stack import why_failed

START = datetime(2026, 1, 1)


def step(name: str, minute: int, status=ExecutionStatus.FAILED, operator="gpu") -> SimpleNamespace:
    """One that ended so many minutes after the start of all."""
    return SimpleNamespace(
        id=f"id-of-{name}", name=name, status=status, start_time=START,
        end_time=START + timedelta(minutes=minute), config=SimpleNamespace(step_operator=operator),
    )  # fmt: skip


def run(*steps: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(id="run-id", name="night", stack=1, steps={s.name: s for s in steps})


@pytest.fixture
def asked(monkeypatch):
    """Labels that a cluster was asked about; it always answers the same."""
    operators = {
        name: SimpleNamespace(flavor=flavor)
        for name, flavor in {"gpu": "kubernetes_sealed", "cloud": "vertex"}.items()
    }
    stack = SimpleNamespace(
        step_operators=operators, orchestrator=SimpleNamespace(flavor="kubernetes")
    )
    labels: list[dict[str, str]] = []
    monkeypatch.setattr(why_failed.Stack, "from_model", lambda model: stack)
    monkeypatch.setattr(
        why_failed, "on_kubernetes", lambda component, given: labels.append(given) or "it is so"
    )
    return labels


def test_the_first_to_fail_is_told(asked):
    sentence = why_failed.why_failed(run(step("ended", 2), step("cause", 1), step("late", 3)))
    assert sentence == f"Step `cause` failed on Kubernetes: it is so. {why_failed.AGAIN}"
    assert asked == [{"step_run_id": "id-of-cause"}]


def test_a_pod_of_the_orchestrator_is_found_by_run_and_step(asked):
    assert why_failed.why_failed(run(step("encode", 1, operator=None)))
    assert asked == [{"run_id": "run-id", "step_name": "encode"}]


def test_of_another_operator_nothing_is_known(asked):
    failed = run(step("pretrain", 1, operator="cloud"))
    assert why_failed.why_failed(failed) is None
    assert why_failed.failed_elsewhere(failed).startswith(
        "The run `night` failed in `pretrain`: its"
    )
    assert asked == []


def test_a_failure_that_only_the_run_has(asked):
    done = run(step("encode", 1, status=ExecutionStatus.COMPLETED))
    sentence = why_failed.failed_elsewhere(done)
    assert sentence.startswith("The run `night` failed: its log")
    assert sentence.endswith(why_failed.AGAIN)
