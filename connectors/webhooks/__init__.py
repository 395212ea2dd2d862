"""Outgoing webhooks: signatures, a guard against private networks, and one delivery attempt."""
