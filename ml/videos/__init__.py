"""Read short videos as pictures, where the extra `video` is installed."""
