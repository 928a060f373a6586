"""First on PYTHONPATH of what fake_kubernetes.py runs: a process that takes itself for a pod.

A pod's host name is the pod's, and its service account's credentials lie in files at a fixed
place; here they are the kubeconfig's.
"""

import os
import socket
import sys

if "HOSTNAME" in os.environ:
    socket.gethostname = lambda: os.environ["HOSTNAME"]
if any("kubernetes_orchestrator_entrypoint" in word for word in sys.orig_argv):
    import kubernetes.config

    kubernetes.config.load_incluster_config = kubernetes.config.load_kube_config
