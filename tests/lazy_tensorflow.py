"""TensorFlow for tests: loaded by the first that touches it, not already when they are collected."""

import importlib
from typing import Any

from django.utils.functional import SimpleLazyObject

tf: Any = SimpleLazyObject(lambda: importlib.import_module("tensorflow"))
