"""Bytes in one form to bytes in another: raw tar to compressed stream, and back.

In: raw bytes, or a compressed stream. Out: the other. Nothing here knows of layers or where they are cut.

    kind         what bytes are compressed with, by the first of them
    decode       any layer's blob as raw tar, followed to its last byte (`zstd_frames`)
    codec        how gzip, zstd and plain streams are put together, and read back piece by piece
    deflate      raw bytes as deflate blocks, the same every time
    deflate_bits the empty blocks that bring a deflate stream to any bit, and back to a byte
    inflater     a deflate stream entered in its middle
    checksum     CRC-32 of what is put together, from those of its pieces
"""
