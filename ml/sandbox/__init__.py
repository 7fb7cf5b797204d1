"""Child processes: started, watched, and confined where they open what a stranger made."""
