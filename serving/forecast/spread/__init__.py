"""What a forecast works out account by account: in this process, or divided over the workers of a Spark."""
