"""An image into a registry, through whatever stands before it.

In: blobs as they become ready, then an `Image`. Out: the same in a repository, its tag written last and read back.

    protocol      what answers to the upload protocol mean: statuses, texts, ranges (pure)
    rules         how a host takes uploads, and the next request that follows from it (pure)
    host          the rules of one host: learned, measured, remembered
    target        where blobs go, and what is counted
    reader        a blob's bytes, read on from where the last chunk ended
    sending       a blob's requests, measured
    arrival       looking for a blob whose commit got no answer
    refusals      why a blob doesn't get through, for people
    upload        one blob: sent in one of the ways, resumed, committed
    push          the destination: blobs in parallel, manifests in order, the tag last
    existing      what a reference claims to hold already, by diff_id
    reuse         which of that is proven, so that it needn't be sent
    blank         the empty image that stands in for deletion
"""
