"""Export a model version to other formats, one file per format, and certify that each agrees with the site."""
