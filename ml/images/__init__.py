"""Bytes to pictures as a backbone sees them, and augmented copies of them."""
