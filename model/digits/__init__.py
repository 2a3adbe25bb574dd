"""Handwritten digits: data sets, generators and the judge. Registries: :mod:`model.digits.registry`."""
