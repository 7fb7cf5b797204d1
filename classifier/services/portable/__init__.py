"""What takes rows and files out of a site and into another one, whichever database and storage each has."""
