"""Writing a decision down within 500 ms, or spooling it: persisting never holds up a rollback."""

from enum import StrEnum

import structlog

from controller.domain.names import RolloutKey
from controller.domain.record import StaleWriteError, Stored, StoreUnavailableError, TickRecord
from controller.ports import Store
from controller.store.deadline import Deadline, TooLateError
from controller.store.spool import Spool, SpoolUnavailableError

log = structlog.get_logger("persist")
PATIENCE = 0.5


class Saved(StrEnum):
    """How a write ended. `stale`: somebody else wrote first, read again. `lost`: nowhere to write; memory only."""

    STORED = "stored"
    SPOOLED = "spooled"
    STALE = "stale"
    LOST = "lost"


class Persister:
    """Commits in a thread that may be lost, so that a hanging database costs 500 ms and not more."""

    def __init__(self, store: Store, spool: Spool, workers: int = 4, patience: float = PATIENCE) -> None:
        self._store, self._spool, self._patience = store, spool, patience
        self._deadline = Deadline(workers)
        self.trouble = ""

    def save(self, record: TickRecord, decisive: bool) -> Saved:
        """Commit; when that fails, spool a `decisive` record, drop a mere measurement. `trouble` then says why."""
        try:
            self._deadline.call(self._patience, lambda: self._store.commit(record))
        except StaleWriteError as error:
            log.warning("stale_write", rollout=str(record.key), seq=record.seq, trouble=str(error))
            return Saved.STALE
        except (StoreUnavailableError, TooLateError) as error:
            late = isinstance(error, TooLateError)
            self.trouble = f"the database gave no answer within {self._patience:g} s" if late else str(error)
            log.error("store_unavailable", rollout=str(record.key), trouble=self.trouble)
            return self.keep(record) if decisive else Saved.LOST
        return Saved.STORED

    def keep(self, record: TickRecord) -> Saved:
        """Into the spool, past the database: behind decisions that wait there already."""
        try:
            self._spool.write(record)
        except SpoolUnavailableError as error:
            self.trouble = str(error)
            log.error("spool_unavailable", rollout=str(record.key), trouble=self.trouble)
            return Saved.LOST
        return Saved.SPOOLED

    def stored(self, key: RolloutKey) -> Stored | None:
        """What the database says of one rollout now. Raises StoreUnavailableError, also when it takes too long."""
        try:
            everything = self._deadline.call(self._patience, self._store.load)
        except TooLateError as late:
            raise StoreUnavailableError(f"the database was not read within {self._patience:g} s") from late
        return next((one for one in everything if one.key == key), None)

    def close(self) -> None:
        """Wait for nothing: what hangs is given up."""
        self._deadline.close()
