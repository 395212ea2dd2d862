"""The process that owns the SQLite event file: it answers frames from a unix socket.

Run by `writer_command`; it ends with its parent and drains on SIGTERM.
"""

import argparse
import ctypes
import fcntl
import gc
import logging
import os
import selectors
import signal
import socket
import sqlite3
import sys
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import msgspec

from billing_core.clock import monotonic
from billing_core.store.events.frames import (
    Command,
    Flush,
    Forget,
    Register,
    Reply,
    Settle,
    SettleDue,
    Watch,
    command_decoder,
    encoder,
    frame,
    take_frames,
)
from billing_core.store.events.participation import Definition, MeterKey
from billing_core.store.events.sqlite_log import FOLD_EVENTS, SqliteLog

logger = logging.getLogger(__name__)

EVENTS_PER_TRANSACTION = 4000
READ_BYTES = 1 << 20
SEND_TIMEOUT_SECONDS = 10
DRAIN_SECONDS = 5
IDLE_SECONDS = 0.05
PARENT_CHECK_SECONDS = 1
LEAST_IDLE_FOLD_EVENTS = 200
FAILURES = (OSError, sqlite3.Error, ValueError, ArithmeticError, RecursionError)
_PR_SET_PDEATHSIG = 1
_NULL = encoder.encode(None)


@dataclass(eq=False, slots=True)
class Client:
    """One connected process."""

    socket: socket.socket
    buffer: bytearray = field(default_factory=bytearray)


class Writer:
    """Serves commands one transaction at a time, in the order they arrive."""

    def __init__(self, log: SqliteLog, listener: socket.socket) -> None:
        self._log = log
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._commands: deque[tuple[Client, Command]] = deque()
        self._waiting: list[tuple[Client, int, int]] = []
        self._is_stopping = False
        self._parent_pid = os.getppid()

    def stop_on(self, *signals: signal.Signals) -> None:
        """Drain and return from `run` when one of these signals arrives."""
        receiver, sender = socket.socketpair()
        for end in (receiver, sender):
            end.settimeout(0)
        signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        self._selector.register(receiver, selectors.EVENT_READ, sender)
        for number in signals:
            signal.signal(number, self._stop)

    def run(self) -> None:
        """Serve until told to stop or the parent is gone; what was received is answered."""
        while not self._is_stopping:
            is_busy = self._receive(self._patience())
            while self._commands:
                self._work()
                self._maintain(is_idle=False)
            if not is_busy:
                self._maintain(is_idle=True)
            if os.getppid() != self._parent_pid:
                self._is_stopping = True
        give_up_at = monotonic() + DRAIN_SECONDS
        while self._receive(0) and monotonic() < give_up_at:
            while self._commands:
                self._work()

    def _stop(self, _number: int, _frame: object) -> None:
        self._is_stopping = True

    def _patience(self) -> float:
        if self._log.meters.unfinished():
            return 0
        unfolded = max(self._log.unfolded_events, self._log.keys.unfolded_keys)
        if unfolded >= LEAST_IDLE_FOLD_EVENTS:
            return IDLE_SECONDS
        return PARENT_CHECK_SECONDS

    def _maintain(self, *, is_idle: bool) -> None:
        """Go on with a backfill, keep the unfolded tail short; sooner when there is time."""
        try:
            least_events = LEAST_IDLE_FOLD_EVENTS if is_idle else FOLD_EVENTS
            self._log.derive()
            self._log.extend_wal()
            if self._log.unfolded_events >= least_events:
                self._log.fold()
            elif is_idle and self._log.keys.unfolded_keys >= least_events:
                self._log.fold_keys(least_keys=1)
            else:
                self._log.fold_keys()
            meter = self._log.meters.unfinished()
            if meter is not None:
                self._log.backfill(meter)
                self._announce()
        except FAILURES:
            # What was answered is committed; this is tried again.
            logger.exception("maintenance failed")

    def _announce(self) -> None:
        """Answer those who wait for a meter that covers every event now, or is gone."""
        ready = [waiting for waiting in self._waiting if self._is_ready(waiting[2])]
        self._waiting = [waiting for waiting in self._waiting if waiting not in ready]
        for client, number, _ in ready:
            self._reply(client, number, _NULL)

    def _is_ready(self, meter: int) -> bool:
        known = self._log.meters.registered.get(meter)
        return known is None or known[1].is_complete

    def _receive(self, timeout_seconds: float) -> bool:
        """Read what has arrived; True when there was anything to read."""
        ready = self._selector.select(timeout_seconds)
        for selected, _ in ready:
            if selected.fileobj is self._listener:
                connection, _ = self._listener.accept()
                connection.settimeout(SEND_TIMEOUT_SECONDS)
                self._selector.register(connection, selectors.EVENT_READ, Client(connection))
            elif isinstance(selected.data, Client):
                self._read(selected.data)
            else:
                assert isinstance(selected.fileobj, socket.socket)
                selected.fileobj.recv(READ_BYTES)
        return bool(ready)

    def _read(self, client: Client) -> None:
        try:
            received = client.socket.recv(READ_BYTES)
        except OSError:
            received = b""
        if not received:
            self._drop(client)
            return
        client.buffer += received
        for body in take_frames(client.buffer):
            self._commands.append((client, command_decoder.decode(body)))

    def _drop(self, client: Client) -> None:
        self._selector.unregister(client.socket)
        client.socket.close()
        self._waiting = [waiting for waiting in self._waiting if waiting[0] is not client]

    def _work(self) -> None:
        if isinstance(self._commands[0][1], Flush):
            self._flush(self._next_flushes())
            return
        client, command = self._commands.popleft()
        try:
            self._answer(client, command)
        except FAILURES as error:
            logger.exception("a command failed")
            self._fail(client, command, error)

    def _next_flushes(self) -> list[tuple[Client, Flush]]:
        """Take the flushes at the head of the queue that fit in one transaction."""
        flushes: list[tuple[Client, Flush]] = []
        events_count = 0
        while self._commands and events_count < EVENTS_PER_TRANSACTION:
            client, command = self._commands[0]
            if not isinstance(command, Flush):
                break
            self._commands.popleft()
            flushes.append((client, command))
            events_count += sum(len(request.events) for request in command.requests)
        return flushes

    def _flush(self, flushes: list[tuple[Client, Flush]]) -> None:
        requests = [request for _, flush in flushes for request in flush.requests]
        try:
            answers = iter(self._log.flush(requests))
        except FAILURES as error:
            logger.exception("a flush of %d requests failed", len(requests))
            for client, flush in flushes:
                self._fail(client, flush, error)
            return
        for client, flush in flushes:
            mine = [next(answers) for _ in flush.requests]
            body = encoder.encode([None if all(answer) else answer for answer in mine])
            self._reply(client, flush.number, body)

    def _answer(self, client: Client, command: Command) -> None:
        if isinstance(command, Register):
            key = MeterKey(command.org_id, command.code)
            definition = Definition(command.aggregation, command.field_name, command.dimensions)
            meter = self._log.register(key, UUID(bytes=command.metric_id), definition)
            if not self._is_ready(meter):
                self._waiting.append((client, command.number, meter))
                return
            self._reply(client, command.number, _NULL)
        elif isinstance(command, Forget):
            key = MeterKey(command.org_id, command.code)
            count = self._log.forget(key, command.until_us, command.now_us)
            self._reply(client, command.number, encoder.encode(count))
        else:
            self._obey(command)
            self._reply(client, command.number, _NULL)

    def _obey(self, command: Command) -> None:
        if isinstance(command, Settle):
            self._log.settle()
        elif isinstance(command, Watch):
            self._log.watch(command.org_id, command.codes)
        elif isinstance(command, SettleDue):
            self._log.settle_due(command.event_ids)

    def _fail(self, client: Client, command: Command, error: Exception) -> None:
        self._send(client, Reply(command.number, type(error).__name__, msgspec.Raw(_NULL)))

    def _reply(self, client: Client, number: int, answer: bytes) -> None:
        self._send(client, Reply(number, None, msgspec.Raw(answer)))

    def _send(self, client: Client, reply: Reply) -> None:
        if client.socket.fileno() < 0:
            return
        try:
            client.socket.sendall(frame(reply))
        except OSError:
            self._drop(client)


def writer_command(socket_path: Path, database: Path) -> list[str]:
    """Return the command line of a writer for this file, listening on this socket."""
    module = "billing_core.store.events.writer"
    return [
        *(sys.executable, "-m", module),
        *("--socket", str(socket_path), "--database", str(database)),
    ]


def main() -> None:
    """Own the file and serve it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--database", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    _end_with_parent()
    with Path(f"{arguments.database}.lock").open("w") as lock:
        # A second writer waits until the first, perhaps just being killed, has let go.
        fcntl.flock(lock, fcntl.LOCK_EX)
        log = SqliteLog(arguments.database)
        arguments.socket.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            previous_umask = os.umask(0o177)
            listener.bind(str(arguments.socket))
            os.umask(previous_umask)
            listener.listen(128)
            # Nothing here makes reference cycles; looking for them costs a tenth of the time.
            gc.freeze()
            gc.set_threshold(50_000, 100, 100)
            writer = Writer(log, listener)
            writer.stop_on(signal.SIGTERM, signal.SIGINT)
            writer.run()
        log.close()


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


if __name__ == "__main__":
    main()
