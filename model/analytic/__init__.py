"""Computations of the light domains: many seeds at once, in numpy, on data whose law is known."""
