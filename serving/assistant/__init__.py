"""The service as tools of an assistant, by the Model Context Protocol: each tool asks the API as whoever asks."""
