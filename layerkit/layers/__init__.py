"""One layer becomes several: read once, cut, proven while it is read.

In: a layer's blob and a limit in bytes of the compressed blob. Out: parts (blobs with diff_ids) which, applied in order, give
the filesystem that the layer gave.

    split       a layer's blob in, its parts out; a plan that can't hold is made again
    one_pass    the pass: bytes stream by, members are framed, the planner decides, the proof watches
    weave       parts out of stretches of the stream and what is encoded between them
    making      a part, and one that is being made
    read_back   parts decoded from the bytes they consist of, and their digests
"""
