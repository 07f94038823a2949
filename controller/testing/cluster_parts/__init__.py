"""The real parts of a cluster on one machine, without nodes: etcd, kube-apiserver, Contour with Envoy, a network.

`make tools` builds the programs. Nothing here needs a Kubernetes library: processes, files and HTTP only.
"""
