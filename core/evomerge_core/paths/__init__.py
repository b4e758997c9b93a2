"""Data-flow: paths through the layers of several models, as numbers to evolve and as models to ship."""
