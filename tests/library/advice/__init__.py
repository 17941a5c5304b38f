"""Every message of the library with the call that raises it, and the call that does as it says.

A module of cases has a dictionary ``CASES``: the name of a case to a pair of functions. The first one raises; the
second one is called with the message, does what it says, and returns whether what was promised holds.
"""
