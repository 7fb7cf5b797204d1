"""Provide the command line of TensorFlow for Poets with its own words: `retrain` and `label_image`, without Django."""
