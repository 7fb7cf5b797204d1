"""Start and watch child processes, and confine those that open what a stranger made."""
