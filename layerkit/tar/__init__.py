"""Tar as bytes: headers, and member runs.

In: the bytes of a tar, streamed or by position. Out: `Member`s that say where each run of extension headers, header, data and
padding begins and ends, so that runs can be moved verbatim. Python's `tarfile` is not used: it ends silently at a damaged
header, and rewriting headers through it changes them.
"""
