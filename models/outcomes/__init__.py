"""What becomes of an account: hazards of churn, contraction and expansion, amounts, certain facts, shared luck."""
