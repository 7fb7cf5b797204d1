"""The JSON API, version 1. Its page with every call is /api/v1/docs."""
