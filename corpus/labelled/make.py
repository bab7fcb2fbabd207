"""Writes the cases of this folder: graphs rebuilt by hand from published reports, with the verdict that a careful
person would give. Nothing is taken over from the reports but the operators, shapes and values that they name.

Run with NumPy: python make.py. A change here is a change of what the judge must say: review it as such.
"""

import bogus
import conversion
import ranges

conversion.write()
ranges.write()
bogus.write()
