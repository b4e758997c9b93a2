"""The quickstart: the paper's Japanese + mathematics cross in miniature, on SmolLM2-135M-Instruct."""
