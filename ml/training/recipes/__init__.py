"""Train a head in one of several ways: one file per recipe, and their registry."""
