"""Measurements that take longer than a page may: each a script, and beside it the table it wrote.

They are part of the library, so that a chapter that reads one runs wherever the library is installed.
"""
