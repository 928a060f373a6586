"""A store that says that its files are elsewhere, and an S3 server on loopback."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from zenml.artifact_stores import BaseArtifactStore
from zenml.enums import StackComponentType

AWS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def component(implementation: type[Any], config: Any, flavor: str, kind: StackComponentType) -> Any:
    """A stack component without a stack."""
    now = datetime(2026, 1, 1)
    return implementation(
        name=flavor, id=uuid4(), config=config, flavor=flavor, type=kind, user=uuid4(),
        created=now, updated=now, environment={}, secrets=[],
    )  # fmt: skip


@contextmanager
def s3_store(bucket: str) -> Iterator[BaseArtifactStore]:
    """ZenML's S3 artifact store against moto, which speaks S3's protocol over HTTP."""
    import boto3
    from moto.server import ThreadedMotoServer
    from zenml.integrations.s3.artifact_stores import S3ArtifactStore
    from zenml.integrations.s3.flavors.s3_artifact_store_flavor import S3ArtifactStoreConfig

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        with patch.dict(os.environ, AWS):
            boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket=bucket)
            config = S3ArtifactStoreConfig(
                path=f"s3://{bucket}", client_kwargs={"endpoint_url": endpoint}
            )
            yield component(S3ArtifactStore, config, "s3", StackComponentType.ARTIFACT_STORE)
    finally:
        server.stop()
