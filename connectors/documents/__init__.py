"""Renderers that turn documents into files."""
