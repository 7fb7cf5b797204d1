"""Say what a classifier's answers to labelled pictures tell of it, in NumPy alone: web processes import it."""
