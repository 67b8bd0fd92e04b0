"""What the command line and the dashboard ask of the store and the engine: typed requests in, typed results out."""
