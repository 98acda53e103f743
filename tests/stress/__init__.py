"""What happens when things go wrong: killed at any moment, two at once, disks that are full.

``make stress`` runs all of it, for minutes; the tests run a little of each.
"""
