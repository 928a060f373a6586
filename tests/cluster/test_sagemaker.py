"""ZenML's SageMaker operator with our settings against moto: the API's shape, not a machine."""

import os
from types import SimpleNamespace
from unittest.mock import patch
from uuid import uuid4

import pytest

pytest.importorskip(
    "sagemaker", reason="SageMaker's SDK needs a venv of its own (make proof-kubeflow)"
)

import boto3
from moto import mock_aws
from remote import AWS, component
from zenml.config import ResourceSettings
from zenml.enums import ExecutionStatus, StackComponentType
from zenml.integrations.aws.flavors.sagemaker_step_operator_flavor import (
    SagemakerStepOperatorConfig,
    SagemakerStepOperatorSettings,
)
from zenml.integrations.aws.step_operators import SagemakerStepOperator

from mutualctr.config import StepResources
from stack.resources import settings_for

ROLE = "arn:aws:iam::123456789012:role/mutualctr-training"
KIND = StackComponentType.STEP_OPERATOR


def test_a_training_job_on_the_machine_of_the_block(tracking_uri, monkeypatch):
    wish = StepResources(operator="gpu", gpus=1, machine="ml.g5.xlarge", deadline_hours=2)
    settings = settings_for(wish, KIND, "sagemaker", "gpu")["step_operator:gpu"]
    with patch.dict(os.environ, AWS), mock_aws():
        boto3.client("s3").create_bucket(Bucket="my-bucket")
        config = SagemakerStepOperatorConfig(role=ROLE, bucket="my-bucket")
        operator = component(SagemakerStepOperator, config, "sagemaker", KIND)
        # Without one zenml 0.98's operator ends in an AttributeError (docs/stacks/sagemaker.md).
        operator.connector = uuid4()
        connector = SimpleNamespace(connect=boto3.Session)
        monkeypatch.setattr(operator, "get_connector", lambda: connector)
        monkeypatch.setattr(
            operator, "get_settings", lambda _: SagemakerStepOperatorSettings(**settings)
        )
        module = "zenml.integrations.aws.step_operators.sagemaker_step_operator"
        step = SimpleNamespace(id=uuid4(), name="pretrain_deepfm_0", run_metadata={})
        info = SimpleNamespace(
            step_run_id=step.id, step_run=step, pipeline=SimpleNamespace(name="dml_finetune"),
            get_image=lambda key: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mutualctr:1",
            config=SimpleNamespace(command=None, resource_settings=ResourceSettings()),
            force_write_logs=lambda: None,
        )  # fmt: skip
        with (
            patch(f"{module}.Client", return_value=SimpleNamespace(get_run_step=lambda _: step)),
            patch(f"{module}.publish_step_run_metadata"),
        ):
            operator.submit(info, ["python", "-m", "entrypoint"], {"TOLD": "yes"})
        client = boto3.client("sagemaker")
        (summary,) = client.list_training_jobs()["TrainingJobSummaries"]
        job = client.describe_training_job(TrainingJobName=summary["TrainingJobName"])
        status = operator.get_status(step)
    assert job["ResourceConfig"]["InstanceType"] == "ml.g5.xlarge"
    assert job["ResourceConfig"]["InstanceCount"] == 1
    assert job["StoppingCondition"]["MaxRuntimeInSeconds"] == 7200
    assert job["RoleArn"] == ROLE
    assert job["AlgorithmSpecification"]["TrainingImage"].endswith("mutualctr:1")
    assert status == ExecutionStatus.COMPLETED
