"""What tests share: a store of their own, misbehaving scripts, programs that die at a chosen place."""
