"""The demo's world: real servers that produce LLM-like traffic, one judge, one client, a Slack receiver."""
