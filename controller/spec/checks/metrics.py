"""The metric server: one provider, one kind of login, no secrets in the spec."""

from collections.abc import Iterator

from controller.spec.checks.choices import check_one_of
from controller.spec.fields import duration
from controller.spec.finding import Finding, Path
from controller.spec.parts import Parts
from controller.spec.schema_metrics import ServerBlock

SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})


def check_metrics(parts: Parts) -> Iterator[Finding]:
    """Exactly one provider, asked in a way that works."""
    if parts.metrics is None:
        return
    path = ("spec", "metrics")
    yield from check_one_of(parts.metrics, path, "prometheus", "scrape")
    servers = {"prometheus": parts.metrics.prometheus, "scrape": parts.metrics.scrape}
    for name, server in servers.items():
        if server is not None:
            yield from _check_server(server, (*path, name))


def _check_server(server: ServerBlock, path: Path) -> Iterator[Finding]:
    if server.bearer_token_file and server.basic_auth:
        yield Finding((*path, "basicAuth"), "cannot stand beside bearerTokenFile", "keep one way to log in")
    if server.ca_file and server.insecure_skip_verify:
        yield Finding((*path, "insecureSkipVerify"), "would ignore caFile", "keep one of them")
    for name in server.headers:
        if name.lower() in SECRET_HEADERS:
            hint = "use bearerTokenFile or basicAuth, which read secrets from a file"
            yield Finding((*path, "headers", name), "would put a secret into the spec", hint)
    if duration(server.timeout) > duration("5m"):
        yield Finding((*path, "timeout"), f"{server.timeout} is too long for one request", "at most 5m")
