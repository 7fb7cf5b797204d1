"""The jobs: their kinds as data, their life, and what a progress bar shows."""
