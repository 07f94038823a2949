"""Tells machines: one JSON object per alert, by POST, to a URL of the user's choice."""

from pathlib import Path

import requests
from requests.auth import AuthBase

from controller.alerts.answers import TIMEOUT_SECONDS, UnreadableSecretError, failed, judge, read_secret, read_url
from controller.alerts.settings import ChannelSettings
from controller.domain.record import Alert, Delivery, Outcome

ADVICE = {
    400: "the receiver did not take the body",
    401: "the receiver wants another token: check the bearer file",
    403: "the receiver forbids it: check the bearer file",
    404: "the receiver does not know this path: check the URL file",
    410: "the receiver is gone: check the URL file",
}


class WebhookChannel:
    """Implements ports.AlertChannel. URL and token are read from their files at each use; TLS is always checked."""

    def __init__(self, settings: ChannelSettings) -> None:
        self._settings = settings

    def send(self, alert: Alert) -> Delivery:
        """Try once, for 10 s at most without a sign of life. Never raises for the receiver's faults."""
        try:
            with requests.Session() as session:
                return self._post(session, alert)
        except UnreadableSecretError as error:
            return Delivery(Outcome.RETRY, str(error))
        except (requests.RequestException, OSError, ValueError) as error:
            return failed(error)

    def _post(self, session: requests.Session, alert: Alert) -> Delivery:
        token = self._settings.bearer_file
        session.auth = _Bearer(read_secret(Path(token), "bearer token") if token else None)
        # A redirect would turn the POST into a GET; the body of the answer is nobody's business.
        with session.post(
            read_url(Path(self._settings.url_file)),
            json=document(alert),
            timeout=TIMEOUT_SECONDS,
            verify=self._settings.ca_file or True,
            allow_redirects=False,
            stream=True,
        ) as answer:
            return judge(answer.status_code, answer.headers, ADVICE)


class _Bearer(AuthBase):
    """Our token or none: never what a .netrc says about the host."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def document(alert: Alert) -> dict[str, object]:
    """The body: keys are a promise to receivers. `dedupe` is the same when one alert comes twice."""
    return {
        "dedupe": alert.dedupe,
        "severity": alert.severity,
        "title": alert.title.replace("**", ""),
        "body": alert.body,
        "details": alert.details,
        "facts": dict(alert.facts),
    }
