"""The event log: what rollups keep apart, and how events wait for them.

Rollups are derived from events and are built anew when they are asked for; what was pending of the
counters by code is counted again. On SQLite the event file brings itself up to date.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OLD = (
    """    CREATE TABLE event_pending (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      first_id bigint NOT NULL,
      hour_meters integer[] NOT NULL, hours bigint[] NOT NULL, hour_subscriptions text[] NOT NULL,
      hour_counts bigint[] NOT NULL, hour_totals numeric[] NOT NULL,
      hour_greatests numeric[] NOT NULL,
      value_meters integer[] NOT NULL, value_hours bigint[] NOT NULL,
      value_subscriptions text[] NOT NULL, value_names text[] NOT NULL,
      value_times bigint[] NOT NULL, value_ids bigint[] NOT NULL,
      value_presences boolean[] NOT NULL,
      code_orgs bytea[] NOT NULL, code_names text[] NOT NULL, code_counts bigint[] NOT NULL,
      code_lowest_ids bigint[] NOT NULL, code_highest_ids bigint[] NOT NULL
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)
    """,
    """    CREATE TABLE event_meters (
      meter integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      org bytea NOT NULL, code text NOT NULL, metric_id uuid NOT NULL,
      aggregation text NOT NULL, field_name text,
      cursor_id bigint NOT NULL, boundary_id bigint NOT NULL,
      UNIQUE (org, code)
    )
    """,
    """    CREATE TABLE event_rollups (
      meter integer NOT NULL, grain smallint NOT NULL, bucket bigint NOT NULL,
      external_subscription_id text NOT NULL, group_key text NOT NULL,
      n bigint NOT NULL, total numeric, greatest numeric,
      PRIMARY KEY (meter, external_subscription_id, grain, bucket, group_key)
    ) WITH (fillfactor = 70)
    """,
    """    CREATE TABLE event_value_sets (
      meter integer NOT NULL, grain smallint NOT NULL, bucket bigint NOT NULL,
      external_subscription_id text NOT NULL, group_key text NOT NULL, value text NOT NULL,
      last_at bigint NOT NULL, last_id bigint NOT NULL, is_present boolean NOT NULL,
      PRIMARY KEY (meter, external_subscription_id, grain, bucket, group_key, value)
    ) WITH (fillfactor = 70)
    """,
)
NEW = (
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
COUNT_AGAIN = (
    "DELETE FROM event_codes",
    """
    INSERT INTO event_codes (org, code, n, lowest_id, highest_id)
    SELECT org, code, count(*) FILTER (WHERE deleted_at IS NULL), min(id), max(id)
    FROM events GROUP BY org, code
    """,
    "UPDATE event_registry SET version = version + 1",
)


def upgrade() -> None:
    """Bring the tables here."""
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP TABLE event_pending, event_meters, event_rollups, event_value_sets")
        for statement in (*NEW, *COUNT_AGAIN):
            op.execute(statement)


def downgrade() -> None:
    """Take them back."""
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "DROP TABLE event_pending, event_meters, event_rollups, event_value_sets,"
            " event_groups, event_watched_codes, event_due"
        )
        for statement in (*OLD, *COUNT_AGAIN):
            op.execute(statement)
