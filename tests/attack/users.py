# SPDX-License-Identifier: BSD-3-Clause
"""The users who attack: numbers that no user of a machine has to have."""
import os

FIRST_USER = 5001


def become(user):
    """Gives this process the user's rights for good."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
