"""The quickstart with pictures: the paper's Japanese vision-language model in miniature, around SmolLM2-135M-Instruct."""
