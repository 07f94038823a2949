"""The metric server: one provider, one kind of login, no secrets in the spec."""

from collections.abc import Iterator

from controller.spec.checks.choices import check_one_of
from controller.spec.fields import duration
from controller.spec.finding import Finding, Path
from controller.spec.parts import Parts
from controller.spec.schema_metrics import ServerBlock
from controller.spec.sentences import CA_IGNORED, SECRET, SECRET_HEADERS, TWO_LOGINS


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
        yield Finding((*path, "basicAuth"), *TWO_LOGINS)
    if server.ca_file and server.insecure_skip_verify:
        yield Finding((*path, "insecureSkipVerify"), *CA_IGNORED)
    for name in server.headers:
        if name.lower() in SECRET_HEADERS:
            yield Finding((*path, "headers", name), *SECRET)
    if duration(server.timeout) > duration("5m"):
        yield Finding((*path, "timeout"), f"{server.timeout} is too long for one request", "at most 5m")
