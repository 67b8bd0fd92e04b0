"""View models: what each pane shows, as frozen values made from a snapshot; no widget computes anything itself."""
