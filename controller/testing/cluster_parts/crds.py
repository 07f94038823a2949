"""Other projects' resource definitions: Gateway API's and Contour's, as their Go modules carry them."""

from pathlib import Path
from typing import Literal

from controller.testing.cluster_parts.kubectl import Kubectl
from controller.testing.cluster_parts.programs import program

Channel = Literal["standard", "experimental"]


def gateway_api_files(channel: Channel = "standard") -> Path:
    """The folder with Gateway API's definitions: as their project releases them, or with the experimental fields."""
    return program("crds-gateway-api") / channel


def install_gateway_api(kubectl: Kubectl, channel: Channel = "standard") -> None:
    """Install, or change to, Gateway API's definitions; return when the API server serves them."""
    install(kubectl, gateway_api_files(channel))


def install_contour(kubectl: Kubectl) -> None:
    """Install the definitions without which Contour does not start."""
    install(kubectl, program("crds-contour.yaml"))


def install(kubectl: Kubectl, files: Path) -> None:
    """Apply a file or a folder of definitions; return when they are served. KubectlError otherwise."""
    kubectl("apply", "--server-side", "--force-conflicts", "-f", files)
    kubectl.established("-f", files)
