"""A registry on loopback with a target's documented limits, to rehearse a pipeline and to test a pusher.

In: limits, and a folder that becomes an OCI layout. Out: `127.0.0.1:PORT`, which any tool can push to.
"""

from layerkit.sandbox.limits import Fault, Limits
from layerkit.sandbox.server import Request, Sandbox

__all__ = ["Fault", "Limits", "Request", "Sandbox"]
