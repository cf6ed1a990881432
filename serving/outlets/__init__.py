"""Where news goes by itself: to webhooks, Slack and Teams, through an outbox that survives a crash."""
