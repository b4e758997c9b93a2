"""What merge methods share: sparsifying, sums, random fields, task vectors."""
