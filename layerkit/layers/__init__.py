"""One layer becomes several: framing, placing, cutting, and the proof.

In: a layer's blob and a limit in bytes of the compressed blob. Out: parts (blobs with diff_ids) which, applied in order, give
the filesystem that the layer gave.

    track      the raw tar streams by, in chunks that know what they cost compressed; afterwards, where the compressed stream can
               be cut, and the raw bytes again from any offset (`gzip_track`, `encoded_track`, `zstd_track`)
    tree       what the source's members are to each other: parents, symlinked parents, what has to be repeated
    placement  which part each member goes to, by the rules of layers
    planner    where to cut: pure, on line, no I/O
    part       the digest of each part as it streams by
    splice     a part's compressed bytes, out of verbatim pieces and re-encoded edges
    split      the one pass that ties these together
    proof      each new layer read back
    decode     any layer's blob as raw tar
"""
