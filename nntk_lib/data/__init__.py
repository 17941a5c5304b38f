"""Data sets: targets with several frequencies, teachers, real tables and real images.

What is random takes a generator or a seed, and gives the same bytes for the same seed. Where a set has a law behind
it, a teacher network or a direction, the law has a seed of its own, ``task``: one task and two seeds are a training
and a test set. Nothing is downloaded.
"""

from .base import Data
from .images import digits, rotated_digits
from .tables import california, diabetes
from .teachers import ridges, signs, single_index, sphere, teacher_student
from .waves import circle, frequency_errors, interval

__all__ = [
    "Data",
    "california",
    "circle",
    "diabetes",
    "digits",
    "frequency_errors",
    "interval",
    "ridges",
    "rotated_digits",
    "signs",
    "single_index",
    "sphere",
    "teacher_student",
]
