"""Small lives of one organization, as YAML, and what plays them."""
