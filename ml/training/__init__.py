"""Train a head from embeddings, evaluate it and pack its artifact."""
