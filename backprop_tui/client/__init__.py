"""What the command line and the dashboard ask of the store and the engine: typed requests in, typed results out.

Every function may raise a BackpropError; its message says what is wrong and what to do.
"""
