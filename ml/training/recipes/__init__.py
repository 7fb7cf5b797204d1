"""How a head is trained: one file a recipe, and their registry."""
