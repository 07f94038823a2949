"""One small question to a server of the demo, on loopback only."""

import http.client
import json
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Said:
    """What came back; status 0 means that nobody answered."""

    status: int
    body: bytes = field(default=b"", repr=False)

    def json(self) -> dict[str, object]:
        """The body as a JSON object; ValueError when it is none."""
        document = json.loads(self.body)
        if not isinstance(document, dict):
            raise ValueError("the answer is not a JSON object")
        return document


def ask(port: int, method: str, path: str, document: object = None, *, timeout: float = 5.0) -> Said:
    """Send one request to 127.0.0.1 on a connection of its own; never raises for a network error."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    body = None if document is None else json.dumps(document).encode()
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        return Said(response.status, response.read())
    except (OSError, http.client.HTTPException):
        return Said(0)
    finally:
        connection.close()
