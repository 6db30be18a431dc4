"""Image -> image: attestations out, layers replaced, config, history and manifests in step, family converted.

In: an image and what the target takes. Out: another image over the same blobs plus the new ones, and what was done. Nothing is
written: new blobs are ranges of the old ones and a few megabytes of new bytes. What doesn't change keeps its bytes and digest.

    options    what is asked for: limits, compression, family, platforms
    decisions  what becomes of each layer and index entry: pure
    layers     the new layers of one manifest, made when they are needed, and offered when they are made
    splits     where their parts are made: for one image, or once for several
    documents  manifests, configs and indexes in step
"""

from layerkit.rewrite.documents import Fixed, fix_image
from layerkit.rewrite.layers import LayerChange, Receiver
from layerkit.rewrite.options import FixOptions, options_for

__all__ = ["FixOptions", "Fixed", "LayerChange", "Receiver", "fix_image", "options_for"]
