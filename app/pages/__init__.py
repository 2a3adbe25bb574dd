"""The pages of the dashboard. Each module has ``build(backend, ...)``, which draws into the current tab."""
