"""The language: request and response shapes of the public API."""
