"""English words that ask rather than mean: left out of full-text search."""

from __future__ import annotations

_WORDS = """
    a about above after again against all also am an and any are as at be because been before
    being below between both but by can could did do does doing done down during each either else
    ever every few for from further get gets give given gives had has have having he her here hers
    him his how however i if in into is it its itself just kind know let like many may me might
    more most much must my no nor not of off on once one ones only onto or other our ours out over
    own per please same say says shall she should show so some such tell than that the their theirs
    them themselves then there these they thing things this those though through to too under until
    up upon us use used uses using very want was way we well were what whatever when where whether
    which while who whom whose why will with within without would yet you your yours
    actually anyone anything paper papers author authors abstract abstracts study studies article
    find finds found propose proposed proposes call called calls said explain describe describes
"""
STOP_WORDS = frozenset(_WORDS.split())
