"""The API over HTTP, as strangers use it."""
