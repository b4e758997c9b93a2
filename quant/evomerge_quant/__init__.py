"""Everything with few bits: the resident 4-bit model that scores candidates, and memory budgets."""
