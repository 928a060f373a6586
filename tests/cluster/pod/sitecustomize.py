"""First on PYTHONPATH of what fake_kubernetes.py runs: a process that takes itself for a pod.

A pod's host name is the pod's, and its service account's credentials lie in files at a fixed
place; here they are the kubeconfig's, which itself no pod has.
"""

import os
import socket
import sys
from typing import NoReturn

if "HOSTNAME" in os.environ:
    socket.gethostname = lambda: os.environ["HOSTNAME"]
asks_the_cluster = any("kubernetes_orchestrator_entrypoint" in word for word in sys.orig_argv)
if asks_the_cluster or "MUTUALCTR_FIRED" in os.environ:
    import kubernetes.config

    def absent(*arguments: object, **options: object) -> NoReturn:
        raise kubernetes.config.ConfigException("a pod has no kubeconfig")

    kubernetes.config.load_incluster_config = kubernetes.config.load_kube_config
    kubernetes.config.load_kube_config = absent
    kubernetes.config.list_kube_config_contexts = absent
