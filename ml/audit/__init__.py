"""Find what may be wrong with a project's pictures, from their embeddings and what is known of their files."""
