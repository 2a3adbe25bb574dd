"""Real data. A new data set is one new file and one line in :mod:`model.datasets.registry`."""
