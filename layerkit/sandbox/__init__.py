"""A registry on loopback with a target's limits and habits, to rehearse a pipeline and to test a pusher.

In: limits, and a folder that becomes an OCI layout. Out: `127.0.0.1:PORT`, which any tool can push to. `dialects()` has the
limits of registries that are known.
"""

from layerkit.sandbox.dialects import Dialect, dialects
from layerkit.sandbox.limits import Fault, Limits, Said, Shown
from layerkit.sandbox.server import Request, Sandbox

__all__ = ["Dialect", "Fault", "Limits", "Request", "Said", "Sandbox", "Shown", "dialects"]
