"""A model version as files for elsewhere: one file a format, and the certificate that it agrees with the site."""
