"""Alembic migrations, the same chain for SQLite and PostgreSQL."""
