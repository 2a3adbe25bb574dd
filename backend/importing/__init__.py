"""Data sets out of foreign files: one module per format, one entry in :mod:`backend.importing.registry` each.

Every importer gives takes (:class:`backend.importing.take.Take`); what they have in common (one skeleton, one frame
rate, labels, split, card) is made of them by :mod:`backend.importing.work`. Nothing of it touches the installation.
"""
