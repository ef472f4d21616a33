"""The contact centre behind the sandbox: people, rubrics, grades, coaching, from a seed number."""
