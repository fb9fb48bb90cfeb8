# SPDX-License-Identifier: BSD-3-Clause
"""The attacks that there are."""
import fnmatch

import closing, endless, limits  # they fill the table  pylint: disable=C0410,W0611
from attack import table


def chosen(patterns):
    """The attacks whose names match one of the patterns; without patterns all of them."""
    return [job for name, job in table.items() if any(fnmatch.fnmatch(name, one) for one in patterns or ["*"])]
