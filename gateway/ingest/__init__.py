"""Hot paths: how usage comes in."""
