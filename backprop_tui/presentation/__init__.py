"""How the commands and the dashboard say things: numbers, durations, states and sentences, each in one way."""
