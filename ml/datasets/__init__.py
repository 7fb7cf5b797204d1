"""From what people send, archives and folders, to labelled pictures and their splits."""
