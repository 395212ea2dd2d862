"""The use cases: one file per resource, verbs as functions."""
