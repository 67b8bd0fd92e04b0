"""Settings: keys with their defaults, where a value comes from, how files of them are read and written."""
