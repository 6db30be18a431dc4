"""An image to walk through: layers on the left, their files on the right, by what they cost to push.

In: an image. Out: a screen that is there at once, and fills while the layers are read.

    reading   the layers, read by a thread; what is known of them so far
    index     which files and directories are in a directory, the most expensive first; pure
    app       the screen
"""
