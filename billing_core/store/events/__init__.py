"""Where usage events live: ingestion, rollups and their exact reading."""
