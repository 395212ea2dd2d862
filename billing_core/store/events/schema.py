"""The tables of the event log, for both databases, and how an older file is brought up to date."""

import sqlite3

SQLITE_VERSION = 2
SQLITE_CACHE_KIB = 131_072
SQLITE_CHECKPOINT_PAGES = 40_000

# Everything below `events` is derived from it in sorted batches, up to the event
# `log_state.folded_id` (keys: `key_slices.folded_id`); behind that readers look at the events
# themselves. Rollups begin with the bucket, so that live traffic touches few pages: the rows of the
# current hour lie together.
_SQLITE_DERIVED = (
    """
    CREATE TABLE meters (
      meter INTEGER PRIMARY KEY AUTOINCREMENT,
      org BLOB NOT NULL, code TEXT NOT NULL, metric_id BLOB NOT NULL,
      aggregation TEXT NOT NULL, field_name TEXT, dimensions TEXT NOT NULL,
      cursor_id INTEGER NOT NULL, boundary_id INTEGER NOT NULL
    )
    """,
    "CREATE INDEX meters_code ON meters (org, code)",
    """
    CREATE TABLE rollups (
      meter INTEGER NOT NULL, grain INTEGER NOT NULL, bucket INTEGER NOT NULL,
      external_subscription_id TEXT NOT NULL, group_key TEXT NOT NULL,
      n INTEGER NOT NULL, total TEXT, greatest TEXT, moment TEXT, amount TEXT,
      newest_at INTEGER, newest_id INTEGER, newest TEXT,
      PRIMARY KEY (meter, grain, bucket, external_subscription_id, group_key)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE value_sets (
      meter INTEGER NOT NULL, grain INTEGER NOT NULL, bucket INTEGER NOT NULL,
      external_subscription_id TEXT NOT NULL, group_key TEXT NOT NULL, value TEXT NOT NULL,
      last_at INTEGER NOT NULL, last_id INTEGER NOT NULL, is_present INTEGER NOT NULL,
      PRIMARY KEY (meter, grain, bucket, external_subscription_id, group_key, value)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE event_groups (
      meter INTEGER NOT NULL, group_key TEXT NOT NULL, texts TEXT NOT NULL,
      PRIMARY KEY (meter, group_key)
    ) WITHOUT ROWID
    """,
    "CREATE TABLE watched_codes (org BLOB NOT NULL, code TEXT NOT NULL, PRIMARY KEY (org, code))",
    "CREATE TABLE due_events (id INTEGER PRIMARY KEY)",
)
# Version 1 kept less apart: what it had derived is dropped, and built anew when it is asked for.
_SQLITE_FROM_1 = (
    "DROP TABLE meters",
    "DROP TABLE rollups",
    "DROP TABLE value_sets",
    *_SQLITE_DERIVED,
)
_SQLITE_TABLES = (
    """
    CREATE TABLE events (
      id INTEGER PRIMARY KEY,
      org BLOB NOT NULL,
      key BLOB NOT NULL,
      series INTEGER NOT NULL,
      transaction_id TEXT NOT NULL,
      external_subscription_id TEXT,
      code TEXT NOT NULL,
      ts INTEGER NOT NULL,
      properties TEXT NOT NULL,
      precise_total_amount_cents TEXT,
      created_at INTEGER NOT NULL,
      deleted_at INTEGER
    )
    """,
    """
    CREATE TABLE event_keys (key BLOB PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID
    """,
    "CREATE TABLE key_slices (slice INTEGER PRIMARY KEY, folded_id INTEGER NOT NULL)",
    """
    INSERT INTO key_slices
    WITH RECURSIVE slices (number) AS (
      SELECT 0 UNION ALL SELECT number + 1 FROM slices WHERE number < 15
    )
    SELECT number, 0 FROM slices
    """,
    """
    CREATE TABLE event_series (
      series INTEGER NOT NULL, ts INTEGER NOT NULL, id INTEGER NOT NULL,
      PRIMARY KEY (series, ts, id)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE event_times (
      org BLOB NOT NULL, ts INTEGER NOT NULL, id INTEGER NOT NULL,
      PRIMARY KEY (org, ts, id)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE event_codes (
      org BLOB NOT NULL, code TEXT NOT NULL,
      n INTEGER NOT NULL, lowest_id INTEGER NOT NULL, highest_id INTEGER NOT NULL,
      PRIMARY KEY (org, code)
    ) WITHOUT ROWID
    """,
    *_SQLITE_DERIVED,
    "CREATE TABLE log_state (folded_id INTEGER NOT NULL)",
    "INSERT INTO log_state VALUES (0)",
)

POSTGRES_DDL: tuple[str, ...] = (
    "CREATE SEQUENCE event_blocks",
    """
    CREATE TABLE events (
      id bigint PRIMARY KEY,
      org bytea NOT NULL,
      key bytea NOT NULL,
      series bigint NOT NULL,
      transaction_id text NOT NULL,
      external_subscription_id text,
      code text NOT NULL,
      ts bigint NOT NULL,
      properties text NOT NULL,
      precise_total_amount_cents text,
      created_at bigint NOT NULL,
      deleted_at bigint
    )
    """,
    "CREATE UNIQUE INDEX events_key ON events (key)",
    "CREATE INDEX events_series ON events (series, ts)",
    "CREATE INDEX events_times ON events (org, ts)",
    """
    CREATE TABLE event_codes (
      org bytea NOT NULL, code text NOT NULL,
      n bigint NOT NULL, lowest_id bigint NOT NULL, highest_id bigint NOT NULL,
      PRIMARY KEY (org, code)
    ) WITH (fillfactor = 50)
    """,
    # The blocks of ids whose events are not folded into everything below yet; rows come and go all
    # the time.
    """
    CREATE TABLE event_pending (
      first_id bigint PRIMARY KEY, n integer NOT NULL
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)
    """,
    """
    CREATE TABLE event_meters (
      meter integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      org bytea NOT NULL, code text NOT NULL, metric_id uuid NOT NULL,
      aggregation text NOT NULL, field_name text, dimensions text[] NOT NULL,
      cursor_id bigint NOT NULL, boundary_id bigint NOT NULL
    )
    """,
    "CREATE INDEX event_meters_code ON event_meters (org, code)",
    "CREATE TABLE event_registry (version bigint NOT NULL)",
    "INSERT INTO event_registry VALUES (1)",
    """
    CREATE TABLE event_rollups (
      meter integer NOT NULL, grain smallint NOT NULL, bucket bigint NOT NULL,
      external_subscription_id text NOT NULL, group_key text NOT NULL,
      n bigint NOT NULL, total numeric, greatest numeric, moment numeric, amount numeric,
      newest_at bigint, newest_id bigint, newest numeric,
      PRIMARY KEY (meter, external_subscription_id, grain, bucket, group_key)
    ) WITH (fillfactor = 70)
    """,
    """
    CREATE TABLE event_value_sets (
      meter integer NOT NULL, grain smallint NOT NULL, bucket bigint NOT NULL,
      external_subscription_id text NOT NULL, group_key text NOT NULL, value text NOT NULL,
      last_at bigint NOT NULL, last_id bigint NOT NULL, is_present boolean NOT NULL,
      PRIMARY KEY (meter, external_subscription_id, grain, bucket, group_key, value)
    ) WITH (fillfactor = 70)
    """,
    """
    CREATE TABLE event_groups (
      meter integer NOT NULL, group_key text NOT NULL, texts text NOT NULL,
      PRIMARY KEY (meter, group_key)
    )
    """,
    """
    CREATE TABLE event_watched_codes (
      org bytea NOT NULL, code text NOT NULL, PRIMARY KEY (org, code)
    )
    """,
    "CREATE TABLE event_due (id bigint PRIMARY KEY)",
)

POSTGRES_DROP: tuple[str, ...] = (
    "DROP TABLE event_due, event_watched_codes, event_groups, event_value_sets, event_rollups",
    "DROP TABLE event_registry, event_meters, event_pending",
    "DROP TABLE event_codes, events",
    "DROP SEQUENCE event_blocks",
)


class NewerDatabase(Exception):  # noqa: N818 - says what is the case
    """The file was written by a later version of this program."""


def prepare_sqlite(connection: sqlite3.Connection) -> None:
    """Set the writer's pragmas and create or upgrade the tables; raises `NewerDatabase`."""
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        f"wal_autocheckpoint = {SQLITE_CHECKPOINT_PAGES}",
        f"cache_size = -{SQLITE_CACHE_KIB}",
        "busy_timeout = 10000",
    ):
        connection.execute(f"PRAGMA {pragma}")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SQLITE_VERSION:
        raise NewerDatabase(version)
    steps = {0: _SQLITE_TABLES, 1: _SQLITE_FROM_1}.get(version)
    if steps is not None:
        connection.execute("BEGIN IMMEDIATE")
        for statement in steps:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SQLITE_VERSION}")
        connection.execute("COMMIT")
