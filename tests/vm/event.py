# SPDX-License-Identifier: BSD-3-Clause
"""usage: event.py NAME EXPRESSION... <EVENTS

Succeeds if there is an event "change" of that mapping for which all expressions hold; the event's
keys are variables in them.
"""
import json
import sys

changes = [json.loads(line) for line in sys.stdin if line.endswith("\n")]
changes = [one for one in changes if one["event"] == "change" and one["name"] == sys.argv[1]]
if not any(all(eval(wanted, {}, one) for wanted in sys.argv[2:]) for one in changes):
    sys.exit(f"no such change of {sys.argv[1]}: {changes}")
