"""Why a script ended: one detector a family, over its exit, the end of its log, and what was known of the machine."""
