"""The shape of `spec.metrics`. The key says which provider measures; secrets are always read from files."""

from typing import Annotated

from pydantic import Field

from controller.spec.fields import Block, Duration, HeaderName, Text, Url
from controller.spec.schema_versions import IdentityBlock


class BasicAuthBlock(Block):
    username: Text = Field(description="Name of the user.")
    password_file: Text = Field(description="File that holds the password; read at each use.")


class ServerBlock(Block):
    """What every metric server has."""

    bearer_token_file: Text | None = Field(
        default=None, description="File that holds a bearer token; read at each use."
    )
    basic_auth: BasicAuthBlock | None = Field(default=None, description="User name, and the file of its password.")
    ca_file: Text | None = Field(default=None, description="Certificates to trust, PEM.")
    insecure_skip_verify: bool = Field(default=False, description="Do not check the server's certificate.")
    headers: Annotated[dict[HeaderName, Text], Field(max_length=32)] = Field(
        default={}, description="Headers to send, such as a tenant's name. No secrets: they would stand in the spec."
    )
    timeout: Duration = Field(default="10s", description="How long one request may take.")
    scrape_interval: Duration = Field(
        default="15s", description="How often new samples are expected; older than three of these is stale."
    )


class PrometheusBlock(ServerBlock):
    url: Url = Field(description="Base URL of the Prometheus API.")


class ScrapeBlock(ServerBlock):
    urls: Annotated[list[Url], Field(min_length=1, max_length=64)] = Field(
        description="`/metrics` pages that are read directly, no server needed."
    )


class MetricsBlock(Block):
    prometheus: PrometheusBlock | None = Field(default=None, description="Ask a Prometheus server.")
    scrape: ScrapeBlock | None = Field(default=None, description="Read `/metrics` pages directly.")
    identity: IdentityBlock = Field(
        default=IdentityBlock(), description="Which series belong to a version; a version may have its own."
    )
