"""What an image is: digests, descriptors, manifests, blobs, references, and the rules that hold between them.

In: bytes and JSON. Out: frozen values that keep the raw bytes they were read from, so that what isn't changed is passed on
to the letter. Nothing here opens a file by name, speaks to a network or knows what a tar is.
"""
