"""Where the measurements were made: nothing that identifies the machine or its user."""

from __future__ import annotations

import datetime
import os
import platform
from importlib import metadata

PACKAGES = ["nntk-lib", "numpy", "scipy", "numba", "jax", "jaxlib", "torch", "curvlinops-for-pytorch"]
PACKAGES += ["nlls-gram", "neural-tangents"]


def machine() -> dict:
    """Processor, cores, memory, load at the start, and the variables that were taken from the processes."""
    from cpuinfo import get_cpu_info

    return {
        "cpu": get_cpu_info().get("brand_raw", platform.machine()),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "unset": {key: value for key, value in sorted(os.environ.items()) if key.startswith("OPENBLAS_")},
    }


def session() -> dict:
    """When, and what else the machine was doing at the start."""
    now = datetime.datetime.now(datetime.UTC)
    return {"date": now.date().isoformat(), "load": round(os.getloadavg()[0], 2)}


def versions() -> dict:
    """Packages of the interpreter that runs this, and the BLAS libraries that it has loaded."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    try:
        import numpy  # noqa: F401
        import scipy.linalg  # noqa: F401
        from threadpoolctl import threadpool_info
    except ImportError:
        return found
    keys = ("internal_api", "version", "architecture", "num_threads")
    return found | {"blas": [{key: pool.get(key) for key in keys} for pool in threadpool_info()]}
