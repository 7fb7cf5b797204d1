"""Restrict the threads of the linear algebra that NumPy and SciPy call (BLAS)."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def blas_on_one_core(*, with_scipy: bool = True) -> Iterator[None]:
    """Restrict the BLAS of NumPy, and that of SciPy where it is used, to one thread.

    Their threads wait for work in a busy loop, on the cores that TensorFlow and our own threads count on, which makes
    each pass over the pictures half as long again.
    """
    if with_scipy:
        import scipy.optimize  # noqa: F401 - a library that is not loaded yet cannot be limited
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield
