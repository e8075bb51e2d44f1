"""The field: fleets of homes, meters, modules and concentrators, day by day, with labelled faults.

A field is decided by its plan and seed alone. Days are made one at a time over the whole fleet, so memory
does not grow with their number. Instants are epoch seconds, quantities base units (mL, thousandths).
"""
