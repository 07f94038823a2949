"""Tells when files below a folder changed. The only importer of watchdog; without inotify it looks by itself."""

import threading
from collections.abc import Callable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

WRITES = frozenset({"created", "modified", "moved", "deleted", "closed"})
DEBOUNCE_SECONDS = 0.05
SAFETY_NET_SECONDS = 30.0
"""With inotify: look anyway so often, because network folders and overflown queues lose events."""


class FolderWatch:
    """Waits in a thread of its own. `signature` answers with something that differs when the files do."""

    def __init__(self, path: Path, signature: Callable[[], object], poll_seconds: float, settle: float) -> None:
        self._path, self._signature = path, signature
        self._poll_seconds, self._settle = poll_seconds, settle
        self._stirred, self._stopped = threading.Event(), threading.Event()
        self._observer: BaseObserver | None = None
        self._thread: threading.Thread | None = None

    @property
    def polling(self) -> bool:
        """True when the system gives no events and the folder is looked at every few seconds instead."""
        return self._observer is None

    def start(self, changed: Callable[[], None]) -> None:
        """Begin; `changed` is called from the thread."""
        self._observer = self._observe()
        self._thread = threading.Thread(target=self._run, args=(changed,), name=f"watch {self._path}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and give the events back. Harmless twice."""
        self._stopped.set()
        self._stirred.set()
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=5)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)

    def _observe(self) -> BaseObserver | None:
        observer = Observer()
        try:
            observer.schedule(_Handler(self._stirred), str(self._path), recursive=True)
            observer.start()
        except OSError:  # the folder is missing, or the system's limit of watches is reached
            return None
        return observer

    def _run(self, changed: Callable[[], None]) -> None:
        # Looked at once in any case: something may have changed between the last reading and the first event.
        known, unsettled = self._signature(), True
        usual = self._poll_seconds if self.polling else SAFETY_NET_SECONDS
        while not self._stopped.is_set():
            stirred = self._stirred.wait(self._settle + DEBOUNCE_SECONDS if unsettled else usual)
            self._stopped.wait(DEBOUNCE_SECONDS if stirred else 0)
            self._stirred.clear()
            before, known = known, self._signature()
            moved = stirred or known != before
            # Once more after the last change: by then a file that seemed to be deleted is believed to be.
            if (moved or unsettled) and not self._stopped.is_set():
                changed()
            unsettled = moved


class _Handler(FileSystemEventHandler):
    """Reading a file gives events too; only writes count."""

    def __init__(self, stirred: threading.Event) -> None:
        self._stirred = stirred

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in WRITES:
            self._stirred.set()
