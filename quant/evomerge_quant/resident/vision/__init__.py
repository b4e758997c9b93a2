"""What a model sees: pictures through tower and projector, once each, and their features in the place of embeddings."""
