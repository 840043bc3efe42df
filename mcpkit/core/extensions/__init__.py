"""Extensions of the protocol that the host serves: apps, skills and tasks (SEP-2133)."""

APPS = "io.modelcontextprotocol/ui"
SKILLS = "io.modelcontextprotocol/skills"
TASKS = "io.modelcontextprotocol/tasks"

OURS = (APPS, SKILLS, TASKS)
"""Identifiers that no plugin can claim."""

METHODS = (
    "resources/directory/read",
    "skills/get",
    "skills/list",
    "tasks/cancel",
    "tasks/get",
    "tasks/update",
)
"""Methods that no plugin can claim."""
