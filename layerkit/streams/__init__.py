"""A compressed layer that can be cut: read from its beginning, entered and left where its blocks end.

In: a layer's compressed bytes. Out: its raw tar in order, with what it costs compressed and where the stream can be cut.

    stream          what every kind gives
    gzip            gzip, inflated by one thread; block starts are looked for near the cuts (`deflate_blocks`)
    framed          zstd of many frames; plain tar
    encoded         everything else: encoded in pieces that stand alone, into a temporary file
    opening         which kind a layer gets
"""
