"""Provide the pretrained networks that turn a picture into features: their registry, architectures and weights."""
