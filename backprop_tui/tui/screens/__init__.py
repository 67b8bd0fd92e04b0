"""The screens: what is laid out where, and what keys do there."""
