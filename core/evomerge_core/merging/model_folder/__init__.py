"""What a merged model's folder holds: shards, config, tokenizer, card."""
