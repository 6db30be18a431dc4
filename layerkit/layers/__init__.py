"""One layer becomes several: framing, placing, cutting, and the proof.

In: a layer's blob and a limit in bytes of the compressed blob. Out: parts (blobs with diff_ids) which, applied in order, give
the filesystem that the layer gave.

    track          the raw tar streams by, in chunks that know what they cost compressed; afterwards, where the compressed
                   stream can be cut, and raw bytes near the cuts again. Which kind a layer gets: `open_track`
    inflate_track  gzip, inflated by one thread; block starts are looked for near the cuts (`boundaries`)
    gzip_track     gzip, inflated by several threads with an index of block starts
    framed_track   zstd of many frames; plain tar
    encoded_track  everything else: encoded in pieces that stand alone, into a temporary file (`spool`)
    codec          how gzip and zstd streams are put together (`deflate`)
    tree           what the source's members are to each other: parents, symlinked parents, what has to be repeated (`timeless`)
    placement      which part each member goes to, by the rules of layers
    planner        where to cut: pure, on line, no I/O; by the `ranking` of members
    part           what a part consists of, and its checksums as it streams by
    one_pass       the pass that ties planner and parts to the stream
    splice         a part's compressed bytes, out of verbatim stretches and re-encoded edges
    growing        a part's compressed bytes, readable before it is known where the part ends
    finish         recipes become parts, digested and read back, while the layer still streams by
    handover       from one thread to another
    split          a layer's blob in, its parts out
    decode         any layer's blob as raw tar (`zstd_frames`)
"""
