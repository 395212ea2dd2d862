"""Plugs: translators between the outside and the ports of the core."""
