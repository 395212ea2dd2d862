"""From rows to wire shapes: what an object looks like, wherever it is shown."""
