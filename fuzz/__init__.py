"""Inputs that nobody thought of, and what layerkit makes of them: `python -m fuzz`, or `make fuzz`.

In: a seed and some minutes. Out: what went wrong, each with the seed that shows it again. Right is a LayerkitError, or a result
that holds: it is within the limit, its blobs and layers are what their digests say by zlib and zstd, `verify` finds no
difference, and Python's tarfile sees the same files. An input may take 30 seconds and 700 MB.

    choices      randomness, from a seed or from a fuzzer's bytes
    tars         layers as no tar program would write them
    streams      a layer's tar, compressed in any way that decoders must take
    mutation     sound bytes and documents, damaged
    judging      what is right
    targets      each makes an input and hands it to layerkit's public functions and commands
    registries   a registry on loopback that answers anything
    running      inputs in a process of their own, with their time and memory watched
    guided       the same targets, led by what code they reach (atheris)
"""
