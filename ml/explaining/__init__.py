"""Say why a classifier answers as it does."""
