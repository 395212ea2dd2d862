"""What the API promises, held against what it does."""
