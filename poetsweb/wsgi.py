"""Provide the WSGI application that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

from poetsweb.base_path import below_base_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "poetsweb.settings")
application = below_base_path(get_wsgi_application())
