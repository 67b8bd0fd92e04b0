"""A session on a store of the test's own, which no supervisor looks after."""

from tests.support.store_fixtures import runs, session, workplace

__all__ = ["runs", "session", "workplace"]
