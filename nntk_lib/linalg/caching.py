"""What is computed once, when it is asked for."""

from __future__ import annotations

import functools


class cached_property(functools.cached_property):
    """That of functools without the lock which it has before Python 3.12.

    The lock belongs to the class, so that no two networks are evaluated at once, and a process that was forked while
    another thread held it waits for that thread, which it does not have, for ever.
    """

    def __get__(self, instance, owner=None):
        """The value; from the second time on it is found in the instance, and this is not called."""
        if instance is None:
            return self
        if self.attrname not in instance.__dict__:
            instance.__dict__[self.attrname] = self.func(instance)
        return instance.__dict__[self.attrname]
