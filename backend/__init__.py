"""Settings, tables, the state machine of loops, artifacts, media and the API. Knows model and corrector, no worker."""
