"""The command line of TensorFlow for Poets, with its own words: `retrain` and `label_image`. Knows no Django."""
