"""Who is told of which account and when: rules, playbooks, how every rule would have done, and when to pass it up."""
