"""The faces: HTTP, jobs and the command line."""
