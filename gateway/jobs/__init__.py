"""Jobs: actor bodies of a few statements."""
