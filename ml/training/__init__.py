"""From embeddings to a head, its evaluation and its artifact."""
