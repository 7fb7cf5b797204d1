"""Turn the archives and folders that people send into labelled pictures, and assign their splits."""
