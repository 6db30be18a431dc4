"""An image into a registry, through whatever stands before it.

In: blobs as they become ready, then an `Image`. Out: the same in a repository, its tag written last and read back.

    protocol      what the upload protocol's headers mean: ranges, locations, chunk sizes (no I/O)
    reader        a blob's bytes, read on from where the last chunk ended
    upload        one blob: looked for, mounted, sent in chunks, resumed, committed, looked for again
    push          the destination: blobs in parallel, manifests in order, the tag last
    existing      what a reference holds already, by diff_id
    blank         the empty image that stands in for deletion
"""
