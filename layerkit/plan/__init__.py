"""Where a layer is cut, and what each part gets: pure decisions, no I/O.

In: a layer's members in order, each with what is before it compressed. Out: for each, what follows: a cut before it, entries to
be repeated, a move to an earlier part.

    tree             what members are to each other: parents, symlinked parents, what has to be repeated
    directory_times  a directory's entry without its times
    overlay_marks    an entry without the marks that hide what is below it
    placement        which part each member goes to, by the rules of layers
    ranking          before which members a layer is rather cut
    planner          where it is cut
"""
