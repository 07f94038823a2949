"""Documents of resources that tests and demonstrations apply: a Gateway, Services whose backends run here, routes."""

from collections.abc import Mapping, Sequence
from typing import Any

Document = dict[str, Any]
GATEWAY_API = "gateway.networking.k8s.io/v1"
CONTOUR_CONTROLLER = "projectcontour.io/gateway-controller"


def namespace(name: str) -> Document:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def gateway_class(name: str, controller: str = CONTOUR_CONTROLLER) -> Document:
    spec = {"controllerName": controller}
    return {"apiVersion": GATEWAY_API, "kind": "GatewayClass", "metadata": {"name": name}, "spec": spec}


def gateway(name: str, namespace: str, *, gateway_class: str) -> Document:
    """A Gateway with one HTTP listener at port 80 that takes routes from every namespace."""
    listener = {
        "name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}},
    }  # fmt: skip
    return {
        "apiVersion": GATEWAY_API,
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"gatewayClassName": gateway_class, "listeners": [listener]},
    }


def service(name: str, namespace: str, port: int) -> Document:
    """A Service without a selector: its EndpointSlice is written by hand."""
    ports = [{"name": "http", "port": port, "targetPort": port, "protocol": "TCP"}]
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": ports}}


def endpoint_slice(
    service: str, namespace: str, addresses: Sequence[str], port: int, *, ready: bool = True
) -> Document:
    """Where the Service's backends are. No loopback addresses: Kubernetes refuses them."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-here",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": ready}} for address in addresses],
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
    }


def backend(name: str, namespace: str, address: str, port: int) -> tuple[Document, Document]:
    """A Service and its one endpoint."""
    return service(name, namespace, port), endpoint_slice(name, namespace, [address], port)


def http_route(
    name: str, namespace: str, *, gateway: str, hostname: str, weights: Mapping[str, tuple[int, int]], rule: str = ""
) -> Document:
    """A route with one rule for every path of `hostname`. `gateway` is "namespace/name"; `weights` is Service ->
    (port, weight); `rule` names the rule."""
    home, _, parent = gateway.rpartition("/")
    backends = [{"name": to, "port": port, "weight": weight} for to, (port, weight) in weights.items()]
    named = {"name": rule} if rule else {}
    return {
        "apiVersion": GATEWAY_API,
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "parentRefs": [{"name": parent, **({"namespace": home} if home else {})}],
            "hostnames": [hostname],
            "rules": [{**named, "backendRefs": backends}],
        },
    }
