"""What was found, for people and for programs. In: an `Image`, or findings about it. Out: text, tables, JSON. Prints nothing."""
