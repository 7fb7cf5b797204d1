"""Decode bytes to pictures as a backbone sees them, and make augmented copies of them."""
