"""The billing core: what usage means, what it costs, and the documents that say so."""
