"""TensorBoard for a training, where it is installed: its process, and what asks it on the users’ behalf."""
