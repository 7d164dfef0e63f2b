"""Attacks on the held cells of the lake: a fleet whose every place is known, what an analyst's
credential shows of it, and what an attacker makes of that. docs/attacks.md."""
