"""The API, one file per OpenAPI tag."""
