"""Self-correction functions: what pulls a generated motion back towards real motion. The one registry is
``corrector.registry.CORRECTORS``. Importing this package is cheap; PyBullet and SciPy load on first use."""
