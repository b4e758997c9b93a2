"""Which tensor comes from where, the stream of merged tensors, and the folder of a merged model."""
