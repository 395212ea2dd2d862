"""The memory: tables, queries, the unit of work and the outbox."""
