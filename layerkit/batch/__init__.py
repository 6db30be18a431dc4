"""Many images: a list, one pool, results as they come.

In: lines of `IMAGE REFERENCE key=value ...`. Out: a `Result` for each image, in the order in which they end; the registry holds
what every line asks for, or the result says why not. Blobs that several images share are read, split, proven and sent once.

    list      the LIST: lines in, `Line`s out, and back; pure
    shards    which of N machines does which image; pure
    record    what is known to be done, and where blobs are, from earlier runs
    results   what became of an image
    sources   the images behind the lines: opened once however many lines name them
    heads     the first bytes of blobs in registries, remembered
    options   what is asked for of all images, and of one by its line
    orders    from lines to orders: where each image goes, and which are the shard's
    telling   one line of progress for an image
    run       the pool: several images at a time
"""
