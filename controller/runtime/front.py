"""What people and monitoring reach: HTTP pages and the control socket, from before the database is read to the end."""

from collections.abc import Callable

import structlog

from controller.runtime.settings import Settings
from controller.telemetry.exposition import Telemetry
from controller.telemetry.health import Check, Health
from controller.web.http import Page, PageServer, json_page
from controller.web.protocol import Request
from controller.web.socket import Answer, ControlServer, SocketInUseError

log = structlog.get_logger("daemon")


class Front:
    """`answer` is who answers on the socket now; it may be replaced at any time."""

    def __init__(
        self, settings: Settings, telemetry: Telemetry, health: Health, answer: Callable[[Request], Answer]
    ) -> None:
        self.answer, self.address = answer, ""
        self._health = health
        self._control = ControlServer(settings.socket, lambda request: self.answer(request))
        self._pages = PageServer(settings.http, _pages(telemetry, health))
        self._listens = False

    def start(self, *, at_any_price: bool = False) -> None:
        """Listen; what listens already goes on. Raises SocketInUseError, SocketPathError, ListenError.

        `at_any_price`: go on without a socket that a faulty disk does not let us make.
        """
        if not self._listens:
            self._listen(at_any_price)
        if not self.address:
            self.address = self._pages.start()

    def _listen(self, at_any_price: bool) -> None:
        try:
            self._control.start()
            self._listens = True
        except SocketInUseError as error:
            if not at_any_price or not isinstance(error.__cause__, OSError):
                raise
            log.error("no_control_socket", trouble=str(error))
            self._health.trouble("control socket", str(error))

    def stop(self) -> None:
        """Within two seconds. Harmless when it never started."""
        self._control.stop()
        self._pages.stop()


def _pages(telemetry: Telemetry, health: Health) -> dict[str, Callable[[], Page]]:
    return {
        "/metrics": lambda: Page(telemetry.render(), telemetry.content_type),
        "/healthz": lambda: _checked(health.alive()),
        "/readyz": lambda: _checked(health.ready()),
    }


def _checked(check: Check) -> Page:
    return json_page(check.document, check.good)
