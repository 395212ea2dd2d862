"""What the API reference says beyond what handlers and models say themselves."""
