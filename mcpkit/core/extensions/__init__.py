"""Extensions of the protocol that the host serves: apps, skills and tasks (SEP-2133)."""
